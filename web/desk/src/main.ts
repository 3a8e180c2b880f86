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
import { useSession } from './features/session/session.store'
import { router } from './router'

const app = createApp(App)
app.use(createPinia())
app.use(router)

onSessionEnd(() => {
  const session = useSession()
  if (session.current === null) return
  session.forget()
  const { name, fullPath } = router.currentRoute.value
  if (name === 'login' || name === 'enrol') return
  void router.push({ name: 'login', query: { next: fullPath, why: 'expired' } })
})

app.mount('#app')
