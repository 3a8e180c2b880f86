// Typed message look-up over dictionaries checked by the compiler: an unknown key, a missing variable or an
// unknown one does not build. zh-CN is the source text; another language may stay partial and falls back.
import { zhCN } from './zh-CN'

export type Messages = typeof zhCN
export type MessageKey = keyof Messages

type VarNames<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | VarNames<Rest>
  : never
type ArgsOf<S extends string> = [VarNames<S>] extends [never]
  ? []
  : [vars: { [Name in VarNames<S>]: string | number }]
type Args<K extends MessageKey> = ArgsOf<Messages[K]>

/** Keys of messages without variables. */
export type PlainKey = {
  [K in MessageKey]: [VarNames<Messages[K]>] extends [never] ? K : never
}[MessageKey]

export type Dictionary = Partial<Record<MessageKey, string>>

let dictionary: Dictionary = zhCN

export function useDictionary(next: Dictionary): void {
  dictionary = next
}

export function fill(template: string, vars: Record<string, string | number>): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in vars ? String(vars[name]) : whole))
}

export function t<K extends MessageKey>(key: K, ...args: Args<K>): string {
  const template: string = dictionary[key] ?? zhCN[key]
  return args.length === 0 ? template : fill(template, args[0] as Record<string, string | number>)
}

/** The same look-up over the texts of pages that few people open: these load with their pages, not with the shell. */
export function textsOf<D extends Record<string, string>>(texts: D) {
  return <K extends keyof D & string>(key: K, ...args: ArgsOf<D[K]>): string => {
    const template: string = (dictionary as Record<string, string | undefined>)[key] ?? texts[key] ?? key
    return args.length === 0 ? template : fill(template, args[0] as Record<string, string | number>)
  }
}

/** For words that arrive as codes (a state, a channel): the message when there is one, the code otherwise. */
export function tCode(prefix: string, code: string | null | undefined): string {
  if (!code) return '—'
  const key = `${prefix}.${code}`
  return key in zhCN ? (dictionary[key as MessageKey] ?? zhCN[key as MessageKey]) : code
}
