import type { By } from '../protocol/event.ts'
import { isOver } from '../protocol/fold/fold-run.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { Position } from '../protocol/position.ts'
import type { LiveStatus, RunStatus } from '../protocol/run-events.ts'
import type { Clock } from './clock.ts'
import { run as commit, sessionNotFound, type Transition } from './commit.ts'
import type { Keeper } from './keeper.ts'
import type { Limits } from './limits.ts'
import type { Random } from './random.ts'
import { FIELD } from './record.ts'
import { RunHints, type RunHint } from './run-hints.ts'
import { shownRun, shownRuns, type ShownRun, type WhichRuns } from './shown-runs.ts'
import type { DueDeadline, Store } from './store.ts'
import type { Appended, AppendRequest } from './transitions/append.ts'
import { runAppend } from './transitions/run-append.ts'
import { cancelRun, finishRun, type Ending } from './transitions/run-end.ts'
import {
  beat,
  leaseDue,
  resumeRun,
  suspendRun,
  type Beat,
  type BeatRequest,
  type Report,
} from './transitions/run-lease.ts'
import { parseRunInfo, parseRunText, runNotFound, type RunClaim } from './transitions/run-record.ts'
import { socketLost, type LostSocket } from './transitions/run-socket.ts'
import { adoptRun, startRun, type Adopted, type StartedRun } from './transitions/run-start.ts'
import type { Views } from './views.ts'

export interface RunsPorts {
  readonly store: Store
  readonly views: Pick<Views, 'at'>
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly limits: Limits
  readonly keeper: Pick<Keeper, 'committed'>
}

export interface NewRun {
  readonly session: SessionId
  readonly by: By
  /** Without it, one is made. */
  readonly run?: string
  /** What the run answers: it is the only run that does. */
  readonly trigger?: string
  readonly agent?: string
  /** The process that asks. */
  readonly producer?: string
  readonly leaseMs?: number
  readonly metadata?: Readonly<Record<string, unknown>>
  /** The subjects that its result is for. */
  readonly deliverTo?: readonly string[]
}

/** Of its lease: an append within such a part of the last one that put it off does not put it off again. */
const PUT_OFF_PART = 6

/** Runs of agents within sessions, from their start to their end. [P-10] */
export class Runs {
  readonly #ports: RunsPorts
  readonly #hints = new RunHints()

  constructor(ports: RunsPorts) {
    this.#ports = ports
  }

  /**
   * Starts a run, or finds the one that its trigger has. [P-10.1]
   * @throws HeldlineError `run_exists`, `run_over` for a trigger that was cancelled before, `session_closed`, `session_limit`
   */
  async start(request: NewRun): Promise<StartedRun> {
    const { random, limits } = this.#ports
    const { session, by, metadata, trigger = null, producer = null } = request
    const { run = random.id(), leaseMs = limits.defaultLeaseMs, deliverTo = [] } = request
    const { agent = null } = request
    const deliverAfterMs = limits.deliveryAfterMs
    const info = { agent, trigger, producer, leaseMs, deliverTo, deliverAfterMs }
    const about = { session, run, info, by, maxLive: limits.maxLiveRuns }
    const guess = { latest: this.#hints.latest(session), ...(metadata && { metadata }) }
    const { started, latest } = await this.#commit(
      session,
      startRun({ ...about, ...guess }, random),
    )
    if (latest !== null) this.#hints.setLatest(session, latest)
    const { created, epoch } = started
    if (created && epoch !== null) this.#putOff(session, { run, epoch }, 'thinking', leaseMs)
    return started
  }

  /**
   * A new process takes a run over that lives or is lost. [P-10.2]
   * @throws HeldlineError `run_not_found`, `run_over`, `session_closed`, `session_limit`
   */
  async adopt(request: {
    readonly session: SessionId
    readonly run: string
    readonly producer?: string
    readonly by: By
  }): Promise<Adopted> {
    const { random, limits } = this.#ports
    const { session, run, producer = null, by } = request
    const adopted = await this.#commit(
      session,
      adoptRun({ session, run, producer, by, maxLive: limits.maxLiveRuns }, random),
    )
    this.#hints.forget(session, run)
    return adopted
  }

  /**
   * Appends in the name of a run. [P-10.3]
   * @throws HeldlineError `run_not_found`, `run_fenced`, `run_over`, `session_limit`, what an append throws
   */
  async append(request: AppendRequest & { readonly claim: RunClaim }): Promise<Appended> {
    const { session, claim } = request
    const { clock, random } = this.#ports
    const hint = this.#hints.get(session, claim.run) ?? (await this.#firstHint(session, claim))
    const { leaseMs, putOffAt } = hint
    const putOff = clock.now() - putOffAt >= leaseMs / PUT_OFF_PART || clock.now() < putOffAt
    const likely = hint.field.epoch === claim.epoch && !isOver(hint.field.status)
    const guess = likely ? { guess: hint.field } : {}
    const transition = runAppend({ ...request, leaseMs, putOff, ...guess }, random)
    try {
      const { appended, field } = await this.#commit(session, transition)
      if (field === null) return appended
      const again = putOff || field.status !== hint.field.status
      if (again || field !== hint.field) {
        this.#hints.set(session, claim, {
          leaseMs,
          field,
          putOffAt: again ? clock.now() : putOffAt,
        })
      }
      return appended
    } catch (error) {
      this.#hints.forget(session, claim.run)
      throw error
    }
  }

  /** A mere sign of life; of a run that is over, too. [P-10.5] @throws HeldlineError `run_not_found`, `run_fenced` */
  heartbeat(request: BeatRequest): Promise<Beat> {
    return this.#beat({ socket: null, ...request }, null)
  }

  /** The socket that beat for a run is gone. [P-10.12] */
  async socketLost(lost: LostSocket): Promise<void> {
    const { clock, random } = this.#ports
    this.#hints.forget(lost.session, lost.claim.run)
    await this.#commit(lost.session, socketLost(lost, clock.now(), random))
  }

  /** What the agent says of itself. [P-10.5] @throws HeldlineError `run_not_found`, `run_fenced`, `run_over` */
  report(request: BeatRequest, report: Report): Promise<Beat> {
    return this.#beat(request, report)
  }

  suspend(request: BeatRequest & { readonly reason?: string }): Promise<LiveStatus> {
    this.#hints.forget(request.session, request.claim.run)
    return this.#commit(request.session, suspendRun(request, request.reason, this.#ports.random))
  }

  resume(request: BeatRequest): Promise<LiveStatus> {
    this.#hints.forget(request.session, request.claim.run)
    return this.#commit(request.session, resumeRun(request, this.#ports.random))
  }

  /** Ends a run by its agent's word. [P-10.7] @throws HeldlineError `run_not_found`, `run_fenced`, `run_over` */
  finish(
    request: BeatRequest,
    ending: Exclude<Ending, { status: 'cancelled' }>,
  ): Promise<RunStatus> {
    this.#hints.forget(request.session, request.claim.run)
    return this.#commit(request.session, finishRun(request, ending, this.#ports.random))
  }

  /** Ends a run by a person's word. [P-10.8] @throws HeldlineError `run_not_found` */
  cancel(request: {
    readonly session: SessionId
    readonly run: string
    readonly by: By
    readonly reason?: string
  }): Promise<{ readonly cancelled: boolean; readonly status: RunStatus }> {
    const { session, run, by, reason } = request
    const ending = { status: 'cancelled', ...(reason !== undefined && { reason }) } as const
    this.#hints.forget(session, run)
    return this.#commit(session, cancelRun({ session, run, by }, ending, this.#ports.random))
  }

  /** The deadline of a run's lease is due. [P-10.4] */
  async leaseDue({ session, deadline, at }: DueDeadline): Promise<void> {
    const run = deadline.slice(deadline.indexOf(':') + 1)
    await this.#commit(session, leaseDue({ session, run, at }, this.#ports.random))
  }

  /** @throws HeldlineError `session_not_found`, `run_not_found` where the view does not hold it, or any more. [P-10.9] */
  async get(session: SessionId, run: string): Promise<ShownRun> {
    const found = shownRun(await this.#ports.views.at(session), run)
    if (found === null) throw runNotFound()
    return found
  }

  /** In the order in which they were started. [P-10.9] @throws HeldlineError `session_not_found` */
  async list(
    session: SessionId,
    which: WhichRuns,
  ): Promise<{ readonly runs: readonly ShownRun[]; readonly position: Position }> {
    const view = await this.#ports.views.at(session)
    return { runs: shownRuns(view, which), position: view.position }
  }

  async #beat(request: BeatRequest, report: Report | null): Promise<Beat> {
    const { session, claim } = request
    const done = await this.#commit(session, beat(request, report, this.#ports.random))
    if (done.live && !isOver(done.status)) this.#putOff(session, claim, done.status, done.leaseMs)
    else this.#hints.forget(session, claim.run)
    return done
  }

  #putOff(session: SessionId, claim: RunClaim, status: LiveStatus, leaseMs: number): void {
    const field = { epoch: claim.epoch, status, said: status === 'stalled' }
    this.#hints.set(session, claim, { leaseMs, field, putOffAt: this.#ports.clock.now() })
  }

  /** What a run is, read, where this node knows nothing of it yet. */
  async #firstHint(session: SessionId, { run }: RunClaim): Promise<RunHint> {
    const { text, info } = await this.#fields(session, run)
    return {
      leaseMs: parseRunInfo(info).leaseMs,
      field: parseRunText(text),
      putOffAt: -Infinity,
    }
  }

  async #fields(
    session: SessionId,
    run: string,
  ): Promise<{ readonly text: string; readonly info: string | null }> {
    const names = [FIELD.run(run), FIELD.runInfo(run)]
    const fields = await this.#ports.store.fields(session, names)
    if (fields === null) throw sessionNotFound()
    const text = fields.get(FIELD.run(run)) ?? null
    if (text === null) throw runNotFound()
    return { text, info: fields.get(FIELD.runInfo(run)) ?? null }
  }

  #commit<Result>(session: SessionId, transition: Transition<Result>): Promise<Result> {
    const { store, keeper } = this.#ports
    return commit(store, transition, (...done) => keeper.committed(session, ...done))
  }
}
