import type { components } from '@shared/api'
import { api } from '@shared/client'

export type Home = components['schemas']['HomeView']

export const getHome = (signal?: AbortSignal) => api.get<Home>('/home', undefined, signal)
