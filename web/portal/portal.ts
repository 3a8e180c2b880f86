// The portal's one script, an improvement and never a need: a changed display (长者版, 高对比) shows without a new
// page, so that a half-filled form stays. The server paints the choice by the same cookie when scripts are off.
import './portal.css'

interface Display {
  large: boolean
  contrast: boolean
}

const COOKIE = 'mj-display'
const YEAR_SECONDS = 31_536_000
const root = document.documentElement

function read(): Display {
  return { large: root.dataset.size === 'large', contrast: root.dataset.contrast === 'high' }
}

function keep(display: Display): void {
  const words = [display.large && 'large', display.contrast && 'contrast'].filter(Boolean)
  // biome-ignore lint/suspicious/noDocumentCookie: the server reads the same cookie; CookieStore is too new
  document.cookie = `${COOKIE}=${words.join('.') || 'normal'}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax`
}

function show(display: Display): void {
  root.dataset.size = display.large ? 'large' : 'normal'
  root.dataset.contrast = display.contrast ? 'high' : 'normal'
  for (const link of document.querySelectorAll<HTMLAnchorElement>('[data-display]')) {
    const isOn = link.dataset.display === 'large' ? display.large : display.contrast
    if (isOn && link.dataset.display !== 'reset') link.setAttribute('aria-current', 'true')
    else link.removeAttribute('aria-current')
  }
}

function choose(name: string | undefined, display: Display): Display {
  if (name === 'large') return { ...display, large: !display.large }
  if (name === 'contrast') return { ...display, contrast: !display.contrast }
  return { large: false, contrast: false }
}

function wire(): void {
  for (const link of document.querySelectorAll<HTMLAnchorElement>('[data-display]')) {
    link.addEventListener('click', (event) => {
      event.preventDefault()
      const display = choose(link.dataset.display, read())
      keep(display)
      show(display)
    })
  }
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-print]')) {
    button.hidden = false
    button.addEventListener('click', () => window.print())
  }
}

if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', wire)
else wire()
