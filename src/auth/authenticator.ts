import type { Authenticator, Grant, Revocations } from '../core/access.ts'
import type { ApiKeys } from './api-keys.ts'
import { refusal } from './refusal.ts'
import type { Tickets } from './tickets.ts'
import type { TokenVerifier } from './tokens.ts'

/** Every way to show who one is. [P-6.1] [P-6.3] */
export class CredentialAuthenticator implements Authenticator {
  readonly #keys: ApiKeys
  readonly #tokens: TokenVerifier
  readonly #tickets: Tickets
  readonly #revocations: Pick<Revocations, 'has'> | null

  constructor(parts: {
    readonly keys: ApiKeys
    readonly tokens: TokenVerifier
    readonly tickets: Tickets
    /** Without it, every token is good until its end. */
    readonly revocations?: Pick<Revocations, 'has'>
  }) {
    this.#keys = parts.keys
    this.#tokens = parts.tokens
    this.#tickets = parts.tickets
    this.#revocations = parts.revocations ?? null
  }

  /** A colon is never part of a token, and always of a key. */
  async authenticate(credential: string): Promise<Grant> {
    return credential.includes(':')
      ? this.#keys.verify(credential)
      : this.#standing(await this.#tokens.verify(credential))
  }

  async redeem(ticket: string, origin: string | null): Promise<Grant> {
    return this.#standing(await this.#tickets.redeem(ticket, origin))
  }

  /** What was proven once is asked again whether it was taken back since. [P-6.8] */
  #standing(grant: Grant): Grant {
    if (this.#revocations?.has(grant) === true) throw refusal('invalid_token', 'revoked')
    return grant
  }
}
