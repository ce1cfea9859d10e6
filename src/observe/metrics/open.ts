import type { Log } from '../../core/log.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Store } from '../../core/store.ts'
import type { WebhookSender } from '../../core/webhook.ts'
import { CountedStore } from './counted-store.ts'
import { MetricsListener, type ListenerOptions } from './listener.ts'
import { Numbers } from './numbers.ts'
import { countedLog, countedSender } from './observed.ts'
import { Recorder } from './recorder.ts'

/** What is looked up when somebody asks. */
export interface Lookups {
  /** How many sessions are followed. */
  readonly followed: () => number
  /** What waits for a place at the webhook. */
  readonly waiting: () => number
  readonly draining: () => boolean
}

/** The counting of one server: what is around its parts, what they are told to tell, and where it is shown. */
export class Observed {
  readonly metrics: Metrics
  readonly #numbers = new Numbers()

  constructor() {
    this.metrics = new Recorder(this.#numbers)
  }

  store(store: Store): Store {
    return new CountedStore(store, this.#numbers)
  }

  sender(sender: WebhookSender): WebhookSender {
    return countedSender(sender, this.#numbers)
  }

  log(log: Log): Log {
    return countedLog(log, this.#numbers)
  }

  lookUp({ followed, waiting, draining }: Lookups): void {
    this.#numbers.read('heldline_sessions_followed', followed)
    this.#numbers.read('heldline_webhook_waiting', waiting)
    this.#numbers.read('heldline_draining', () => (draining() ? 1 : 0))
  }

  /** @throws Error with a sentence for the operator */
  show(options: ListenerOptions): Promise<MetricsListener> {
    return MetricsListener.open(this.#numbers, options)
  }
}
