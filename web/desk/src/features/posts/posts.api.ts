import type { components } from '@shared/api'
import type { Page } from '@shared/api.types'
import { api, type Query } from '@shared/client'

type Shapes = components['schemas']
export type PostRow = Shapes['PostRow']
export type Post = Shapes['PostView']
export type PostText = Shapes['PostText']
export type PublicParty = Shapes['PublicParty']
export type PublicAct = Shapes['PublicAct']

const seg = encodeURIComponent
const base = '/portal/posts'

export const listPosts = (query: Query, signal?: AbortSignal) => api.get<Page<PostRow>>(base, query, signal)

export const getPost = (id: string, signal?: AbortSignal) =>
  api.get<Post>(`${base}/${seg(id)}`, undefined, signal)

export interface NewPost {
  kind: string
  title: string
  body: string
  agency?: string
  register_no?: string
  act_line?: string
}

export const draftPost = (body: NewPost, idempotencyKey: string) =>
  api.post<Post>(base, body, { idempotencyKey })

export type PostVerb = 'text' | 'submit' | 'return' | 'publish' | 'correct' | 'withdraw'

export const actOnPost = (
  id: string,
  verb: PostVerb,
  body: { version: number; title?: string; body?: string; reason?: string },
) => api.post<Post>(`${base}/${seg(id)}/${verb}`, body)

export const preview = (body: string) => api.post<{ html: string }>('/portal/post-preview', { body })

/** What the public finds: an exposure can only be about that. */
export const findParties = (q: string) =>
  api.get<{ items: PublicParty[] }>('/public/parties', { q, limit: 8 })

export const actsOf = (registerNo: string) =>
  api.get<Shapes['PublicRecord']>(`/public/parties/${seg(registerNo)}`, { limit: 50 })
