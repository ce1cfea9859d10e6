import type { Random } from './random.ts'
import type { DueDeadline, Store } from './store.ts'
import type { Views } from './views.ts'
import type { WebhookEvents } from './webhook.ts'

/** What each kind needs. */
export interface OutgoingPorts {
  readonly store: Store
  readonly views: Pick<Views, 'at'>
  readonly random: Random
  readonly webhookEvents: WebhookEvents
}

/** One kind of what goes to the webhook. Each of it has a deadline, and says in the session's record what became of it. */
export interface Outgoing {
  /** What the names of its deadlines begin with, and what log lines call it. */
  readonly noun: 'delivery' | 'notice'
  /**
   * Takes one whose deadline is due for one try, in a commit that moves the deadline: nobody else tries it before that is over.
   * @param claimMs `null`: nothing can be sent; it rests without a deadline
   * @returns `null`: there is nothing to send (any more), or another node was faster
   */
  claim(due: DueDeadline, claimMs: number | null): Promise<Try | null>
}

/** One try of something that is claimed. */
export interface Try {
  /** The same in every try of it. */
  readonly id: string
  /** How many there have been, with this one. */
  readonly attempts: number
  /** JSON of what is said; `null`: it need not be sent any more. */
  body(): Promise<string | null>
  /** @param sent whether the webhook took it; else it need not be sent */
  settle(sent: boolean): Promise<void>
  /** @param againInMs when it is tried again; `null`: never by itself @returns whether it has failed for good by that */
  fail(reason: string, againInMs: number | null): Promise<boolean>
}
