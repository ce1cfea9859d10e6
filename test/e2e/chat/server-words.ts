import { JSDOM } from 'jsdom'
import { createElement } from 'react'
import { renderToStaticMarkup } from 'react-dom/server'
import Markdown from 'react-markdown'
import gfm from 'remark-gfm'
import type { Shown } from './read-page.ts'
import type { ChatApp } from './start-chat.ts'

interface Said {
  readonly role: string
  readonly status: string
  readonly parts: readonly { readonly type: string; readonly text?: string }[]
}

/** What the server has of a session, as a page shows it. */
export async function serverShows(app: ChatApp, session: string): Promise<Shown[]> {
  const { messages } = await app.ask('GET', `/sessions/${session}/messages`)
  // The server's answer, whose form its own tests hold.
  return (messages as Said[]).map(({ role, status, parts }) => ({
    role,
    status,
    text: parts.flatMap(({ type, text = '' }) => (type === 'text' ? [drawn(text)] : [])).join('\n'),
  }))
}

/** Markdown without its marks. */
function drawn(text: string): string {
  const html = renderToStaticMarkup(
    createElement(Markdown, { remarkPlugins: [gfm], children: text }),
  )
  return JSDOM.fragment(html).textContent ?? ''
}

export interface KnownRun {
  readonly status: string
  readonly trigger: string
}

export async function runsOf(app: ChatApp, session: string): Promise<readonly KnownRun[]> {
  const { runs } = await app.ask('GET', `/sessions/${session}/runs`)
  return runs as KnownRun[]
}
