// Who is at the desk. The token itself stays in an HttpOnly cookie; here are only the name, the roles and the
// CSRF token, fetched again after each reload.

import type { CurrentSession, SessionCreated, SessionState } from '@shared/api.types'
import { api, Problem, setCsrfToken } from '@shared/client'
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { forgetPersonalDrafts } from '../../ui/forgetDrafts'

/** Whether this browser ever logged in: without it there is no need to ask the server on the login page. */
const HINT = 'mj-desk-session'

function hint(isOn?: boolean): boolean {
  try {
    if (isOn === true) localStorage.setItem(HINT, '1')
    if (isOn === false) localStorage.removeItem(HINT)
    return localStorage.getItem(HINT) === '1'
  } catch {
    return true
  }
}

/** Who is signed in with this browser: tabs share one cookie, so a sign-in in one changes them all. */
const WHO = 'mj-desk-account'
/** Set before a reload that another tab's sign-in made necessary; the shell says why. */
export const SWITCHED = 'mj-desk-switched'

/** The answer to whoever comes with a session that another sign-in of the account ended. */
export const REPLACED = 'access.session_replaced'
/** The same for what else ended it: another password, another role, an administrator. */
export const ENDED = 'access.session_ended'

function tell(account: string): void {
  try {
    localStorage.setItem(WHO, account)
  } catch {
    // without a store the server still refuses what the other tab's token does not fit
  }
}

/** A tab whose account was replaced in another one starts anew, so that nobody acts under a wrong name. */
function watchOtherTabs(own: () => string | undefined): void {
  window.addEventListener('storage', (event) => {
    if (event.key !== WHO || !event.newValue || !own() || event.newValue === own()) return
    sessionStorage.setItem(SWITCHED, '1')
    window.location.reload()
  })
}

export const useSession = defineStore('session', () => {
  const current = shallowRef<CurrentSession | null>(null)
  const isRestored = ref(false)
  /** What this browser was told when something elsewhere ended its session. */
  const over = shallowRef<Problem>()
  /** What signing in here ended elsewhere, until it was read. */
  const ended = ref<SessionCreated['ended']>([])
  watchOtherTabs(() => current.value?.account_id)

  const agencyName = computed(() => current.value?.roles.find((one) => one.agency_name)?.agency_name ?? '')

  /** Whether the role may do this at all; a single record may still be out of reach. */
  function can(action: string): boolean {
    return current.value?.actions.includes(action) ?? false
  }

  function set(session: CurrentSession): void {
    current.value = session
    over.value = undefined
    hint(true)
    tell(session.account_id)
    setCsrfToken(session.csrf_token)
  }

  /** With `asksAgain` the next load asks once more: the cookie still tells why the session ended. */
  function forget(asksAgain = false): void {
    current.value = null
    hint(asksAgain)
    setCsrfToken('')
  }

  /** Once after a reload: is there still a session behind the cookie? */
  async function restore(): Promise<void> {
    if (isRestored.value) return
    isRestored.value = true
    if (!hint()) return
    try {
      set(await api.get<CurrentSession>('/sessions/current'))
    } catch (cause) {
      // Anything but "not logged in" shows itself on the login page at the next try.
      if (!(cause instanceof Problem)) throw cause
    }
  }

  async function login(name: string, password: string): Promise<SessionState> {
    const body = { login: name, password, kind: 'web' }
    const created = await api.post<SessionCreated>('/sessions', body, { isLogin: true })
    setCsrfToken(created.csrf_token)
    ended.value = created.ended
    if (created.state === 'active') set(await api.get<CurrentSession>('/sessions/current'))
    return created.state
  }

  /** The second half of a login: the code of the phone, or one of the recovery codes on paper. */
  async function finish(proof: { totp: string } | { recovery_code: string }): Promise<void> {
    const opened = await api.post<SessionCreated>('/sessions/current/second-factor', proof, { isLogin: true })
    ended.value = opened.ended
    set(await api.get<CurrentSession>('/sessions/current'))
  }

  /** Fetches name and roles again: the token changed, or an authenticator was just set up. */
  async function renew(): Promise<void> {
    set(await api.get<CurrentSession>('/sessions/current'))
  }

  /** Proves the person again; the session gets a new token. */
  async function prove(password: string, totp: string): Promise<void> {
    const body = { password, ...(totp ? { totp } : {}) }
    const opened = await api.post<SessionCreated>('/sessions/current/step-up', body, { isLogin: true })
    setCsrfToken(opened.csrf_token)
  }

  async function logout(): Promise<void> {
    try {
      await api.delete('/sessions/current')
    } finally {
      forgetPersonalDrafts()
      forget()
    }
  }

  return { current, over, ended, agencyName, can, restore, login, finish, renew, prove, logout, forget }
})
