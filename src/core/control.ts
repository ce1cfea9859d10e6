import type { MemberKind } from '../protocol/capabilities.ts'
import { HeldlineError } from '../protocol/errors.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { Controller } from '../protocol/record-events.ts'
import type { Grant } from './access.ts'
import { run, type Transition } from './commit.ts'
import type { Keeper } from './keeper.ts'
import type { Random } from './random.ts'
import type { Store } from './store.ts'
import { releaseControl, takeControl } from './transitions/control.ts'

export interface ControlPorts {
  readonly store: Store
  readonly random: Random
  readonly keeper: Pick<Keeper, 'committed'>
}

/** Who speaks as the assistant: agents, or a person in their place. [P-14] */
export class Control {
  readonly #ports: ControlPorts

  constructor(ports: ControlPorts) {
    this.#ports = ports
  }

  /** @throws HeldlineError `control_taken`, `session_closed`, `forbidden` */
  async take(
    session: SessionId,
    grant: Grant,
    wish: { readonly force?: boolean; readonly kind?: MemberKind; readonly member?: string },
  ): Promise<{ readonly controller: Controller; readonly taken: boolean }> {
    const { force = false, member } = wish
    const { subject } = grant
    const kind = kindOf(grant, wish.kind)
    const controller = { subject, kind, ...(member !== undefined && { member }) }
    const by = { subject, ...(member !== undefined && { member }) }
    const request = { session, controller, force, by }
    const taken = await this.#commit(session, takeControl(request, this.#ports.random))
    return { controller, taken }
  }

  /** @returns whether somebody had it @throws HeldlineError `not_controller` */
  release(session: SessionId, grant: Grant): Promise<boolean> {
    const any = grant.capabilities.has('manage')
    const by = { subject: grant.subject }
    return this.#commit(session, releaseControl({ session, any, by }, this.#ports.random))
  }

  #commit<Result>(session: SessionId, transition: Transition<Result>): Promise<Result> {
    const { store, keeper } = this.#ports
    return run(store, transition, (...done) => keeper.committed(session, ...done))
  }
}

/** As what the credentials are; those of a server may say. @throws HeldlineError `forbidden` */
function kindOf({ kind }: Grant, wished: MemberKind | undefined): MemberKind {
  if (kind === 'any') return wished ?? 'supervisor'
  if (wished === undefined || wished === kind) return kind
  throw new HeldlineError(
    'forbidden',
    `unable to take control; the credentials do not allow the kind ${wished}`,
  )
}
