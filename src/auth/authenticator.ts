import type { Authenticator, Grant } from '../core/access.ts'
import type { ApiKeys } from './api-keys.ts'
import type { Tickets } from './tickets.ts'
import type { TokenVerifier } from './tokens.ts'

/** Every way to show who one is. [P-6.1] [P-6.3] */
export class CredentialAuthenticator implements Authenticator {
  readonly #keys: ApiKeys
  readonly #tokens: TokenVerifier
  readonly #tickets: Tickets

  constructor(parts: {
    readonly keys: ApiKeys
    readonly tokens: TokenVerifier
    readonly tickets: Tickets
  }) {
    this.#keys = parts.keys
    this.#tokens = parts.tokens
    this.#tickets = parts.tickets
  }

  /** A colon is never part of a token, and always of a key. */
  async authenticate(credential: string): Promise<Grant> {
    return credential.includes(':')
      ? this.#keys.verify(credential)
      : this.#tokens.verify(credential)
  }

  async redeem(ticket: string, origin: string | null): Promise<Grant> {
    return this.#tickets.redeem(ticket, origin)
  }
}
