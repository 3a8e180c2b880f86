// Light, dark, or as the system says; kept on this device. The page carries it as `data-theme` on the root.
import { ref } from 'vue'

export const THEMES = ['light', 'dark', 'system'] as const
export type Theme = (typeof THEMES)[number]

const KEY = 'mj-desk-theme'
const night = window.matchMedia('(prefers-color-scheme: dark)')

function kept(): Theme {
  try {
    const value = localStorage.getItem(KEY)
    return (THEMES as readonly string[]).includes(value ?? '') ? (value as Theme) : 'light'
  } catch {
    return 'light'
  }
}

export const theme = ref<Theme>(kept())

function apply(): void {
  const isDark = theme.value === 'dark' || (theme.value === 'system' && night.matches)
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light'
}

export function setTheme(next: Theme): void {
  theme.value = next
  try {
    localStorage.setItem(KEY, next)
  } catch {
    // a browser that keeps nothing shows it until the page is closed
  }
  apply()
}

night.addEventListener('change', apply)
apply()
