// The portal's one script, an improvement and never a need: it keeps the reader's display choice (长者版,
// 高对比) on this device. It is loaded in <head> as a classic script, so the choice stands before the first paint.
import './portal.css'

type Size = 'normal' | 'large'
type Contrast = 'normal' | 'high'
interface Display {
  size: Size
  contrast: Contrast
}

const KEY = 'mj-portal-display'
const root = document.documentElement

function read(): Display {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Display>
    return {
      size: kept.size === 'large' ? 'large' : 'normal',
      contrast: kept.contrast === 'high' ? 'high' : 'normal',
    }
  } catch {
    return { size: 'normal', contrast: 'normal' }
  }
}

function keep(display: Display): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(display))
  } catch {
    // A browser that keeps nothing still shows the choice on this page.
  }
}

function apply(display: Display): void {
  root.dataset.size = display.size
  root.dataset.contrast = display.contrast
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-display]')) {
    const isOn =
      (button.dataset.display === 'large' && display.size === 'large') ||
      (button.dataset.display === 'contrast' && display.contrast === 'high')
    button.setAttribute('aria-pressed', String(isOn))
  }
}

function choose(name: string | undefined, display: Display): Display {
  if (name === 'large') return { ...display, size: display.size === 'large' ? 'normal' : 'large' }
  if (name === 'contrast') return { ...display, contrast: display.contrast === 'high' ? 'normal' : 'high' }
  return { size: 'normal', contrast: 'normal' }
}

let display = read()
apply(display)

function wire(): void {
  for (const bar of document.querySelectorAll<HTMLElement>('[data-display-switch]')) bar.hidden = false
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-display]')) {
    button.addEventListener('click', () => {
      display = choose(button.dataset.display, display)
      keep(display)
      apply(display)
    })
  }
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-print]')) {
    button.hidden = false
    button.addEventListener('click', () => window.print())
  }
  apply(display)
}

if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', wire)
else wire()
