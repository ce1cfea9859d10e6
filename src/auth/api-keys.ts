import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Grant } from '../core/access.ts'
import type { Secret } from '../core/secret.ts'
import { CAPABILITIES } from '../protocol/capabilities.ts'
import { refusal } from './refusal.ts'

const SUBJECT_PREFIX = 'key:'

/** Whether a subject is that of an API key; no token may have such a one. */
export function isKeySubject(subject: string): boolean {
  return subject.startsWith(SUBJECT_PREFIX)
}

interface Entry {
  readonly digest: Buffer
  readonly grant: Grant
}

/** The keys of servers: found by their id, and kept as digests, so that memory holds no secret. [P-6.1] */
export class ApiKeys {
  readonly #entries: ReadonlyMap<string, Entry>
  /** What an unknown id is compared with: nothing has this digest, and finding that out takes as long. */
  readonly #nobody: Entry = { digest: randomBytes(32), grant: grantOf('') }

  constructor(keys: readonly { readonly id: string; readonly secret: Secret }[]) {
    this.#entries = new Map(
      keys.map(({ id, secret }) => [id, { digest: digestOf(secret.reveal()), grant: grantOf(id) }]),
    )
  }

  /**
   * @param credential `<id>:<secret>`; a secret may hold colons
   * @throws HeldlineError `unauthenticated`
   */
  verify(credential: string): Grant {
    const colon = credential.indexOf(':')
    const known = this.#entries.get(credential.slice(0, Math.max(0, colon)))
    const { digest, grant } = known ?? this.#nobody
    const equal = timingSafeEqual(digestOf(credential.slice(colon + 1)), digest)
    if (known === undefined) throw refusal('unauthenticated', 'unknown_key')
    if (!equal) throw refusal('unauthenticated', 'wrong_secret')
    return grant
  }
}

function digestOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer')
}

function grantOf(id: string): Grant {
  return Object.freeze({
    subject: `${SUBJECT_PREFIX}${id}`,
    kind: 'any',
    sessions: Object.freeze(['*']),
    capabilities: new Set(CAPABILITIES),
    expiresAt: null,
  })
}
