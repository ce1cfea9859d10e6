// What this example's backend asks of Heldline: a session, and a token for whoever may come into it.

export interface Heldline {
  readonly url: string
  /** `id:secret` */
  readonly key: string
}

export type Role = 'human' | 'supervisor'

const CAPABILITIES = {
  human: ['subscribe', 'history', 'send', 'signal', 'presence', 'state'],
  supervisor: ['subscribe', 'history', 'send', 'signal', 'presence', 'state', 'control', 'manage'],
} as const

const TOKEN_MS = 15 * 60_000

export async function openSession({ url, key }: Heldline, session: string): Promise<void> {
  await ask(url, key, 'PUT', `/v1/sessions/${encodeURIComponent(session)}`, {
    metadata: { title: 'A trip to Gothenburg' },
  })
}

/** A real application knows who asks, by its own login; here people say who they are. */
export async function mintToken(
  { url, key }: Heldline,
  session: string,
  person: { readonly subject: string; readonly name: string; readonly role: Role },
): Promise<string> {
  const { token } = await ask(url, key, 'POST', '/v1/tokens', {
    subject: person.subject,
    name: person.name,
    kind: person.role,
    sessions: [session],
    capabilities: CAPABILITIES[person.role],
    ttlMs: TOKEN_MS,
  })
  return String(token)
}

async function ask(
  url: string,
  key: string,
  method: string,
  path: string,
  body: object,
): Promise<Record<string, unknown>> {
  const response = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as Record<string, unknown>
  if (!response.ok)
    throw new Error(`${method} ${path}: ${response.status} ${String(answer['code'])}`)
  return answer
}
