// Starts the workbench: styles in the order that lets our tokens win, the session's end wired to the login page.
import '@shared/tokens.css'
import './styles/base.css'
import './styles/table.css'
import './styles/shell.css'
import './styles/theme.css'
import './styles/dark.css'
import './ui/theme'
import { onSessionEnd } from '@shared/client'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { ENDED, REPLACED, useSession } from './features/session/session.store'
import { router } from './router'

const app = createApp(App)
app.use(createPinia())
app.use(router)

onSessionEnd((problem) => {
  const session = useSession()
  // also after a reload, when nobody is known yet: the cookie of an ended session still tells why
  const isTold = problem.code === REPLACED || problem.code === ENDED
  if (isTold) session.over = problem
  if (session.current === null) return
  session.forget(isTold)
  const { name, fullPath } = router.currentRoute.value
  if (name === 'login' || name === 'enrol') return
  void router.push({
    name: 'login',
    query: { next: fullPath, why: session.over ? 'over' : 'expired' },
  })
})

app.mount('#app')
