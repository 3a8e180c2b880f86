// The server's rendering of a post as elements of our own making: the HTML is parsed into a document that runs
// nothing, and only the few elements a post may have are taken over. A second lock behind the server's.
import { defineComponent, h, type VNode } from 'vue'

const PLAIN = new Set(['P', 'H2', 'H3', 'UL', 'OL', 'LI', 'EM', 'STRONG', 'BLOCKQUOTE', 'BR', 'HR'])
const ADDRESS = /^(https?:\/\/|\/(?![/\\]))/i

type Child = VNode | string

function taken(node: Node): Child[] {
  if (node.nodeType === Node.TEXT_NODE) return [node.textContent ?? '']
  if (!(node instanceof Element)) return []
  const inner = [...node.childNodes].flatMap(taken)
  if (PLAIN.has(node.tagName)) return [h(node.tagName.toLowerCase(), inner)]
  const address = node.tagName === 'A' ? (node.getAttribute('href') ?? '') : ''
  if (ADDRESS.test(address))
    return [h('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, inner)]
  return inner
}

export const richText = (html: string): Child[] =>
  [...new DOMParser().parseFromString(html, 'text/html').body.childNodes].flatMap(taken)

export default defineComponent({
  name: 'RichText',
  props: { html: { type: String, required: true } },
  setup: (props) => () => h('div', { class: 'prose' }, richText(props.html)),
})
