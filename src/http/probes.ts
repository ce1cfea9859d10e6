import { HeldlineError } from '../protocol/errors.ts'
import { probeAnswer } from '../protocol/http.ts'
import type { StoreHealth } from '../core/store.ts'
import { json, type Answer } from './answer.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'health' | 'draining' | 'clock' | 'log'>

/** The store is asked at most so often, however many probes come. */
const ASK_EVERY_MS = 1000
const PATIENCE_MS = 3000

/** For whoever decides whether this process lives, and whether it gets requests. */
export function probeRoutes(ports: Ports): readonly Route[] {
  const health = new Health(ports)
  return [
    {
      method: 'GET',
      path: '/livez',
      summary: 'Whether the process is alive',
      description: 'It does not ask the store: one that is away must not restart every node.',
      quiet: true,
      answers: { 200: { about: 'It is.', schema: probeAnswer } },
      handle: () => json({ status: 'live' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      summary: 'Whether this node takes requests',
      quiet: true,
      answers: { 200: { about: 'It does.', schema: probeAnswer } },
      errors: ['draining', 'store_unavailable'],
      handle: () => ready(ports, health),
    },
  ]
}

async function ready(ports: Ports, health: Health): Promise<Answer> {
  if (ports.draining()) throw new HeldlineError('draining', 'not ready; this node is going down')
  const { ok, detail } = await health.now()
  if (!ok) {
    // What the store says about itself is for the log, not for whoever asks.
    ports.log.warn('store.not_ready', { detail })
    throw new HeldlineError('store_unavailable', 'not ready; the store cannot be reached')
  }
  return json({ status: 'ready' })
}

/** The store's health, as of a moment ago at most. */
class Health {
  readonly #ports: Ports
  #asked = Number.NEGATIVE_INFINITY
  #answer: Promise<StoreHealth> = Promise.resolve({ ok: false, detail: 'not asked yet' })

  constructor(ports: Ports) {
    this.#ports = ports
  }

  now(): Promise<StoreHealth> {
    const { clock } = this.#ports
    const now = clock.now()
    // Or the clock was set back since: what was answered then is no answer until it has come there again.
    if (now - this.#asked >= ASK_EVERY_MS || now < this.#asked) {
      this.#asked = now
      this.#answer = this.#ask()
    }
    return this.#answer
  }

  /** A store that does not answer in time is one that cannot be reached. */
  #ask(): Promise<StoreHealth> {
    const { clock, health } = this.#ports
    return new Promise((resolve) => {
      const failed = (detail: string) => (): void => resolve({ ok: false, detail })
      const timer = clock.after(PATIENCE_MS, failed('no answer'))
      health()
        .then(resolve, failed('failed'))
        .finally(() => timer.cancel())
        .catch(failed('failed'))
    })
  }
}
