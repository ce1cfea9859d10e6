import type { Authenticator, Grant } from '../../src/core/access.ts'
import type { ConnectionPorts } from '../../src/core/connection.ts'
import { Control } from '../../src/core/control.ts'
import { Courier } from '../../src/core/courier.ts'
import { Deliveries } from '../../src/core/deliveries.ts'
import { Effects } from '../../src/core/effects.ts'
import { Hub } from '../../src/core/hub.ts'
import { Inputs } from '../../src/core/inputs.ts'
import { Keeper } from '../../src/core/keeper.ts'
import type { Limits } from '../../src/core/limits.ts'
import { Notices } from '../../src/core/notices.ts'
import { OutgoingDeliveries } from '../../src/core/outgoing-deliveries.ts'
import { OutgoingNotices } from '../../src/core/outgoing-notices.ts'
import { Presence } from '../../src/core/presence.ts'
import { Questions } from '../../src/core/questions.ts'
import { Runs } from '../../src/core/runs.ts'
import { Sessions } from '../../src/core/sessions.ts'
import type { Signals } from '../../src/core/signals.ts'
import { SharedState } from '../../src/core/state.ts'
import type { Store } from '../../src/core/store.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import { Views } from '../../src/core/views.ts'
import { AnswerSchemas } from '../../src/http/answer-schemas.ts'
import { WEBHOOK_EVENTS, type WebhookEvents, type WebhookSender } from '../../src/core/webhook.ts'
import { HeldlineError } from '../../src/protocol/errors.ts'
import type { FakeClock } from './fake-clock.ts'
import type { FakeRandom } from './fake-random.ts'
import { FakeLog } from './sim-log.ts'
import { FakeSocket } from './sim-socket.ts'

export interface SimNodePorts {
  readonly store: Store
  readonly signals: Signals
  readonly clock: FakeClock
  readonly random: FakeRandom
  readonly limits: Limits
  readonly authenticator: Authenticator
  /** Without it, there is no webhook. */
  readonly sender?: WebhookSender
  /** What the webhook is told of; without it, of everything where there is one. */
  readonly webhookEvents?: WebhookEvents
}

/** How long after each failed try a webhook is tried again. */
export const RETRY_MS = [5000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000] as const

/** The whole core of one node, put together as the server does, with everything that touches the world in the test's hand. */
export class SimNode {
  readonly log = new FakeLog()
  readonly hub: Hub
  readonly views: Views
  readonly keeper: Keeper
  readonly presence: Presence
  readonly deliveries: Deliveries
  readonly notices: Notices
  readonly courier: Courier
  readonly sessions: Sessions
  readonly runs: Runs
  readonly inputs: Inputs
  readonly questions: Questions
  readonly state: SharedState
  readonly effects: Effects
  readonly control: Control
  readonly sweeper: Sweeper
  readonly ports: ConnectionPorts
  readonly sockets = new Set<FakeSocket>()
  readonly #random: FakeRandom

  constructor(ports: SimNodePorts) {
    const all = new Set(ports.sender === undefined ? [] : WEBHOOK_EVENTS)
    const shared = { ...ports, webhookEvents: ports.webhookEvents ?? all, log: this.log }
    this.#random = ports.random
    this.hub = new Hub(shared)
    this.views = new Views(ports.store, ports.limits, (...after) => this.hub.recent(...after))
    this.keeper = new Keeper({ ...shared, views: this.views })
    this.presence = new Presence(shared)
    this.deliveries = new Deliveries({ ...shared, views: this.views })
    this.notices = new Notices(ports)
    const sent = { ...shared, views: this.views }
    this.courier = new Courier({
      sender: null,
      retryMs: RETRY_MS,
      ...shared,
      outgoing: [new OutgoingDeliveries(sent), new OutgoingNotices(sent)],
    })
    this.sessions = new Sessions({
      ...shared,
      keeper: this.keeper,
      deliveries: this.deliveries,
    })
    this.runs = new Runs({ ...shared, views: this.views, keeper: this.keeper })
    this.inputs = new Inputs({ ...shared, views: this.views, keeper: this.keeper })
    this.questions = new Questions({
      ...shared,
      keeper: this.keeper,
      schemas: new AnswerSchemas(),
    })
    this.state = new SharedState({ ...shared, keeper: this.keeper })
    // Keys are given: nothing is hashed.
    const hash = (): string => '0'.repeat(64)
    this.effects = new Effects({ ...shared, views: this.views, keeper: this.keeper, hash })
    this.control = new Control({ ...shared, keeper: this.keeper })
    this.sweeper = new Sweeper({ ...shared, handlers: this.#handlers() }, () =>
      ports.random.fraction(),
    )
    const { hub, views, sessions, presence, runs } = this
    this.ports = { ...shared, hub, views, sessions, presence, runs }
  }

  /** A client's socket at this node. `null`: it must send its credentials first. */
  connect(grant: Grant | null): FakeSocket {
    const socket = new FakeSocket(this.ports, this.#random.id(), grant)
    this.sockets.add(socket)
    socket.onClose = () => void this.sockets.delete(socket)
    return socket
  }

  /** What a gateway does for every socket at each heartbeat. */
  beat(): void {
    for (const socket of this.sockets) {
      socket.connection.heartbeat()
      socket.connection.check()
    }
  }

  /** In the order of a server that goes down. */
  close(): void {
    for (const socket of this.sockets) socket.connection.close(1012, 'this node goes down')
    this.sweeper.close()
    void this.courier.close()
    this.presence.close()
    this.keeper.close()
    this.hub.close()
  }

  #handlers(): ConstructorParameters<typeof Sweeper>[0]['handlers'] {
    return new Map([
      ['member', (due) => this.presence.expire(due)],
      ['run', (due) => this.runs.leaseDue(due)],
      ['input', (due) => this.inputs.due(due)],
      ['question', (due) => this.questions.due(due)],
      ['expire', (due) => this.keeper.due(due)],
      ['retention', (due) => this.keeper.due(due)],
      ['delivery', (due) => this.courier.due(due)],
      ['notice', (due) => this.courier.due(due)],
    ])
  }
}

/** Knows tokens by their text. */
export class FakeAuthenticator implements Authenticator {
  readonly #grants = new Map<string, Grant>()

  allow(token: string, grant: Grant): void {
    this.#grants.set(token, grant)
  }

  async authenticate(credential: string): Promise<Grant> {
    return this.#grant(credential)
  }

  async redeem(ticket: string): Promise<Grant> {
    return this.#grant(ticket)
  }

  #grant(text: string): Grant {
    const grant = this.#grants.get(text)
    if (grant === undefined) throw new HeldlineError('invalid_token', 'the token is not valid')
    return grant
  }
}
