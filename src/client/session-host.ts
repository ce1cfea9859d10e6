import type { ReceivedOf } from './received.ts'
import type { Clock } from '../sdk/clock.ts'
import type { Requests } from './http-later.ts'
import type { Page } from './page.ts'
import type { Storages } from './storage.ts'
import type { TabName } from './tab-name.ts'
import type { Wire } from './wire.ts'

/** What all sessions of a client share. */
export interface SessionHost {
  readonly clock: Clock
  readonly random: () => number
  readonly page: Page
  readonly storages: Storages
  readonly namespace: string
  readonly http: Requests
  readonly tab: TabName
  /** What the session wants has changed, or it has been attached. */
  update(): void
  connection(): Connected | null
}

export interface Connected {
  readonly wire: Wire
  readonly welcome: ReceivedOf<'welcome'>
}
