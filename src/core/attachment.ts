import { HeldlineError } from '../protocol/errors.ts'
import type { ResetReason } from '../protocol/frames-down.ts'
import type { SessionId } from '../protocol/ids.ts'
import { formatPosition, type Position } from '../protocol/position.ts'
import { errorFrame } from './error-frame.ts'
import type { Sink } from './cursor.ts'
import type { Batch } from './feed.ts'
import { frame, type Frame } from './frame.ts'
import type { Following, Hub } from './hub.ts'
import { headPosition, judge } from './judge.ts'
import type { Limits } from './limits.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import { Resume } from './resume.ts'
import { snapshotPieces } from './snapshot-frames.ts'
import type { Store } from './store.ts'
import { noteTrouble } from './store-trouble.ts'
import type { Views } from './views.ts'

export interface AttachmentPorts {
  readonly hub: Hub
  readonly views: Views
  readonly store: Store
  readonly limits: Limits
  readonly log: Log
  /** Without it, nothing is counted. */
  readonly metrics?: Metrics
}

/** Where an attachment's frames go: a connection's outbox. */
export interface Out {
  ready(): boolean
  send(frame: Frame): void
  /** The attachment is over, and the reader has been told why: it holds nothing any more. */
  ended?(attachment: Attachment, error: unknown): void
}

export interface AttachOptions {
  readonly position: Position | null
  readonly catchup: 'auto' | 'events'
}

/**
 * One reader of one session over some transport: from its position, or from a snapshot, and then whatever follows. The walk is the same
 * for a first visit, a reload, another device and another node.
 */
export class Attachment implements Sink {
  readonly session: SessionId
  readonly #ports: AttachmentPorts
  readonly #out: Out
  #following: Following | null = null
  /** Pieces of a snapshot that wait for room. */
  #pieces: Frame[] = []
  #resume: Resume | null = null
  #closed = false

  constructor(session: SessionId, ports: AttachmentPorts, out: Out) {
    this.session = session
    this.#ports = ports
    this.#out = out
  }

  /**
   * Begins. Sends nothing before `answer` has been called with the mode and the head.
   * @returns whether it has: not when it was closed before
   * @throws HeldlineError `session_not_found`, what the store throws
   */
  async open(
    options: AttachOptions,
    answer: (mode: 'resumed' | 'snapshot', head: Position) => void,
  ): Promise<boolean> {
    const { metrics } = this.#ports
    const resume = Resume.begin(metrics, options.position)
    const following = await this.#ports.hub.follow(this.session, null, this, (payload) => {
      // A signal may be lost: a reader that does not keep up is spared it, rather than closed for it. [P-4.7]
      if (this.#out.ready()) this.#out.send({ text: payload, type: 'signal', reaches: null })
      else metrics?.signalDropped()
    })
    if (this.#closed) {
      following.close()
      return false
    }
    this.#following = following
    const { position, catchup } = options
    answer(position === null ? 'snapshot' : 'resumed', following.head())
    this.#resume = resume
    if (position !== null) resume?.from(position, following.head())
    if (position === null) await this.#snapshot()
    else if (catchup === 'auto' && this.#worthFolding(position)) await this.#catchUp(position)
    else following.cursor.move(position)
    return true
  }

  /** The head of the log as this node knows it, while the attachment is open. */
  get head(): Position | null {
    return this.#following?.head() ?? null
  }

  /** The transport has room again, or it is time to look. */
  pump(): void {
    if (this.#pieces.length > 0) this.#sendPieces()
    else this.#following?.cursor.pump()
  }

  close(): void {
    this.#closed = true
    this.#resume?.end('unfinished')
    this.#pieces = []
    this.#following?.close()
    this.#following = null
  }

  ready(): boolean {
    return this.#out.ready()
  }

  deliver(batch: Batch): void {
    this.#out.send(batch.frame)
    this.#ports.metrics?.fannedOut(batch.events.length)
    this.#resume?.delivered(batch)
  }

  reset(reason: ResetReason): void {
    this.#ports.metrics?.reset(reason)
    this.#resume?.end('reset')
    const serial = this.#following?.cursor.position?.serial
    if (reason === 'corrupt' && serial !== undefined) {
      const { session } = this
      this.#ports.log.error('store.corrupt', { session, serial: serial + 1 })
    }
    void this.#reset(reason)
  }

  gone(): void {
    this.#end(new HeldlineError('session_not_found', 'the session was removed'))
  }

  /** The store did not answer a read. The cursor is pumped again with the next verification; nothing is lost meanwhile. */
  failed(error: unknown): void {
    this.#ports.log.info('attachment.read_failed', { session: this.session, error })
  }

  /** Tells the reader that this attachment is over, and why. [P-4.13] */
  #end(error: unknown): void {
    if (this.#closed) return
    if (error instanceof HeldlineError) noteTrouble(this.#ports.log, error)
    this.#out.send(errorFrame(error, null, this.session))
    this.close()
    this.#out.ended?.(this, error)
  }

  async #reset(reason: ResetReason): Promise<void> {
    const refused = this.#following?.cursor.position
    try {
      const [head] = await this.#ports.store.heads([this.session])
      if (this.#closed || refused === undefined) return
      if (head === null || head === undefined) return this.gone()
      this.#out.send(
        frame({
          type: 'reset',
          session: this.session,
          reason,
          floor: head.floor,
          head: formatPosition(headPosition(head)),
          position: formatPosition(refused),
        }),
      )
    } catch (error) {
      return this.#end(error)
    }
    await this.#snapshot()
  }

  /** Whether folding what the reader missed is cheaper than telling it. */
  #worthFolding(position: Position): boolean {
    const head = this.#following?.head()
    if (head === undefined || head.epoch !== position.epoch) return false
    return head.serial - position.serial > this.#ports.limits.foldAfterEvents
  }

  /**
   * What changed since the position, folded. Only once the view is there is the position held against the log: before, a failover could
   * still put another log under it. Where anything is in doubt, the events are told, or the reset.
   */
  async #catchUp(since: Position): Promise<void> {
    try {
      const { hub, views } = this.#ports
      const view = await hub.arrive(() => this.#whileHere(() => views.at(this.session)))
      if (view === null) return
      const { position } = view
      const pieces = snapshotPieces(this.session, view, since, this.#ports.limits.pageBytes)
      const range = { after: since.serial, limit: 1, maxBytes: 1 }
      const page = await this.#ports.store.read(this.session, range)
      if (this.#closed) return
      const known = page !== null && judge(since, page).kind !== 'reset'
      const isAhead = position.epoch === since.epoch && position.serial >= since.serial
      if (known && isAhead) {
        this.#pieces = pieces
        this.#resume?.fold(position.serial - since.serial)
        return this.#sendPieces()
      }
    } catch (error) {
      this.failed(error)
    }
    this.#following?.cursor.move(since)
  }

  async #snapshot(): Promise<void> {
    try {
      const { hub, views } = this.#ports
      const frames = await hub.arrive(() => this.#whileHere(() => views.frames(this.session)))
      if (this.#closed || frames === null) return
      this.#pieces = [...frames]
      this.#sendPieces()
    } catch (error) {
      this.#end(error)
    }
  }

  /** Whoever had to wait may have gone: nothing is read for it then. */
  async #whileHere<Result>(read: () => Promise<Result>): Promise<Result | null> {
    return this.#closed ? null : read()
  }

  #sendPieces(): void {
    while (this.#pieces.length > 0 && this.#out.ready()) {
      const piece = this.#pieces.shift()
      if (piece === undefined) return
      this.#out.send(piece)
      this.#resume?.handed(piece)
      if (piece.reaches !== null) this.#following?.cursor.move(piece.reaches)
    }
  }
}
