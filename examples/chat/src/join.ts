// Coming in: who one is, in which session, and what the page needs for it.
import { createClient, type Client } from 'heldline/client'
import { SessionChatTransport } from 'heldline/ai-sdk'
import type { UIMessage } from 'ai'
import { Network } from './network.ts'

export type Role = 'human' | 'supervisor'

export interface Wish {
  readonly name: string
  readonly role: Role
  readonly session?: string
}

/** Everything that lasts for as long as one is in. */
export interface Room {
  readonly session: string
  readonly subject: string
  readonly name: string
  readonly role: Role
  readonly model: string
  readonly client: Client
  readonly transport: SessionChatTransport
  readonly network: Network
  /** What was said before one came. */
  readonly messages: UIMessage[]
}

interface Joined {
  readonly session: string
  readonly subject: string
  readonly token: string
  readonly heldline: string
  readonly model: string
}

export async function join(wish: Wish): Promise<Room> {
  const first = await ask(wish)
  let token: string | null = first.token
  const network = new Network()
  const client = createClient({
    url: first.heldline,
    // The first one is fresh; a later one is asked for when it is needed.
    token: async () => {
      const fresh = token ?? (await ask({ ...wish, session: first.session })).token
      token = null
      return fresh
    },
    WebSocket: network.WebSocket,
    fetch: network.fetch,
    namespace: `ferry-desk.${first.subject}`,
  })
  const transport = new SessionChatTransport({ client })
  const messages = await transport.loadMessages(first.session).catch((error: unknown) => {
    client.close()
    throw error
  })
  const { session, subject, model } = first
  return {
    session,
    subject,
    name: wish.name,
    role: wish.role,
    model,
    client,
    transport,
    network,
    messages,
  }
}

async function ask(wish: Wish): Promise<Joined> {
  const response = await fetch('/api/join', { method: 'POST', body: JSON.stringify(wish) })
  if (!response.ok) throw new Error(`nobody is at the door: ${response.status}`)
  // Our own backend's answer.
  return (await response.json()) as Joined
}

/** `#chat-1a2b&supervisor`: a link that can be sent to somebody else. */
export function readAddress(hash: string): { session?: string; role: Role } {
  const [session = '', ...rest] = hash.replace(/^#/, '').split('&')
  const role = rest.includes('supervisor') ? 'supervisor' : 'human'
  return session === '' ? { role } : { session, role }
}

export function addressOf(session: string, role: Role): string {
  return role === 'supervisor' ? `#${session}&supervisor` : `#${session}`
}
