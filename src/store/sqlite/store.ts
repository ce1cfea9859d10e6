import { existsSync, statfsSync } from 'node:fs'
import type { Wake } from '../../core/signals.ts'
import type {
  CommitRequest,
  CommitResult,
  DeadlineGuard,
  DueDeadline,
  Durability,
  ListPage,
  ListQuery,
  LogHead,
  Page,
  ReadRange,
  Store,
  StoreHealth,
  TrimPolicy,
  TrimResult,
} from '../../core/store.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import type { SessionId } from '../../protocol/ids.ts'
import { assign } from '../assign.ts'
import type { LocalSignals } from '../local-signals.ts'
import { damaged, isDamage } from './damage.ts'
import { syncFolder, takeFolder, type Folder } from './folder.ts'
import { prepareFile, type Pragmas } from './format.ts'
import { startWriter, WriterLink } from './link.ts'
import { Reader } from './reader.ts'
import type { WriteAnswer, WriteRequest } from './requests.ts'

export interface SqliteOptions {
  /** Made when it is not there; one server at a time. */
  readonly folder: string
  readonly signals: LocalSignals
  /** The store's clock. */
  readonly now: () => number
  /** `fsync`, the default, acknowledges after the disk has it; `async` may lose the last commits with the host's power. */
  readonly durability?: 'fsync' | 'async'
}

/** Below this the disk counts as full before it is: a checkpoint needs room too. */
const MIN_FREE_BYTES = 64 << 20
const PING_TIMEOUT_MS = 2000

/**
 * Sessions in one SQLite file: one writer in a thread of its own, reads where they are asked.
 *
 * What a kill leaves is whole: SQLite takes in what its log holds at the next start. What damage to the end of that log
 * (`heldline.db-wal`) takes away cannot be seen in the file: it opens with the commits before it, as after a lost failover. Then
 * the serials are given again to other content, which is why a position carries its event's tag: whoever saw what is gone
 * is reset, never handed a fork. Everything else that is damaged fails a checksum, and is refused when it is read.
 */
export class SqliteStore implements Store {
  readonly durability: Durability
  readonly #folder: Folder
  readonly #reader: Reader
  readonly #writer: WriterLink
  readonly #signals: LocalSignals
  readonly #now: () => number
  #closed: Promise<void> | null = null

  /** Takes the folder, brings the file to the newest format, starts the writer. Throws with a sentence for the operator. */
  static async open(options: SqliteOptions): Promise<SqliteStore> {
    const folder = takeFolder(options.folder)
    let store: SqliteStore | undefined
    try {
      const pragmas: Pragmas = { synchronous: options.durability === 'async' ? 'NORMAL' : 'FULL' }
      const fresh = !existsSync(folder.file)
      prepareFile(folder.file, pragmas)
      if (fresh) syncFolder(folder.path)
      store = new SqliteStore(folder, pragmas, options)
      await store.#writer.ready
      return store
    } catch (error) {
      await store?.close()
      folder.release()
      if (!(error instanceof Error) || error.message.startsWith('unable to open')) throw error
      const { message } = isDamage(error) ? damaged(error) : error
      throw new Error(`unable to open; ${message}`, { cause: error })
    }
  }

  private constructor(folder: Folder, pragmas: Pragmas, options: SqliteOptions) {
    this.durability = options.durability ?? 'fsync'
    this.#folder = folder
    this.#signals = options.signals
    this.#now = options.now
    this.#reader = new Reader(folder.file)
    const worker = startWriter({ file: folder.file, ...pragmas })
    this.#writer = new WriterLink(worker, options.now, (...told) => this.#wake(...told))
  }

  /**
   * Resolves when nothing can be written any more, with the reason: what the disk holds is only known to a process that opens the file anew. What there is can
   * still be read.
   */
  get failed(): Promise<Error> {
    return this.#writer.failed
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    return this.#writer.send<'commit'>({ kind: 'commit', commit: request })
  }

  trim(session: SessionId, policy: TrimPolicy): Promise<TrimResult | null> {
    return this.#writer.send<'trim'>({ kind: 'trim', session, policy })
  }

  remove(session: SessionId, guard?: DeadlineGuard): Promise<boolean> {
    return this.#writer.send<'remove'>({ kind: 'remove', session, guard })
  }

  async read(session: SessionId, range: ReadRange): Promise<Page | null> {
    return this.#reading((reader) => reader.read(session, range))
  }

  async heads(sessions: readonly SessionId[]): Promise<(LogHead | null)[]> {
    return this.#reading((reader) => reader.heads(sessions))
  }

  async fields(
    session: SessionId,
    names: readonly string[],
  ): Promise<Map<string, string | null> | null> {
    return this.#reading((reader) => reader.fields(session, names))
  }

  async list(query: ListQuery): Promise<ListPage> {
    return this.#reading((reader) => reader.list(query))
  }

  async due(limit: number): Promise<DueDeadline[]> {
    return this.#reading((reader) => {
      try {
        return reader.due(this.#now(), limit)
      } catch (error) {
        // Of a damaged session others know nothing; without deadlines no lease and no presence of any ever ends.
        if (isDamage(error)) this.#writer.stop(damaged(error))
        throw error
      }
    })
  }

  async check(): Promise<StoreHealth> {
    const unwell = (detail: string): StoreHealth => ({ ok: false, detail })
    if (this.#closed !== null) return unwell('closed')
    if (this.#writer.failure !== null) {
      return unwell(`the writer has stopped: ${this.#writer.failure.message}`)
    }
    try {
      if (freeBytes(this.#folder.path) < MIN_FREE_BYTES) return unwell('the disk is almost full')
      this.#reader.due(0, 1)
      const answered = await within(PING_TIMEOUT_MS, this.#writer.send<'ping'>({ kind: 'ping' }))
      if (!answered) return unwell(`the writer has not answered for ${PING_TIMEOUT_MS} ms`)
    } catch (error) {
      return unwell(error instanceof Error ? error.message : String(error))
    }
    return { ok: true, detail: `SQLite in ${this.#folder.path}, durability ${this.durability}` }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    // The reader first: it would be in the way of the last checkpoint.
    this.#reader.close()
    await this.#writer.close()
    this.#folder.release()
  }

  #reading<T>(work: (reader: Reader) => T): T {
    if (this.#closed !== null) {
      throw new HeldlineError('store_unavailable', 'unable to read; the store is closed')
    }
    try {
      return work(this.#reader)
    } catch (error) {
      if (error instanceof HeldlineError) throw error
      if (isDamage(error)) {
        // What the operator can do is for the log, which has the cause, and not for callers.
        throw new HeldlineError('event_corrupt', 'unable to read; what is stored is damaged', {
          cause: damaged(error),
        })
      }
      const reason = error instanceof Error ? error.message : String(error)
      throw new HeldlineError('store_unavailable', `unable to read; SQLite says: ${reason}`, {
        cause: error,
      })
    }
  }

  /** Tells subscribers of a write, in the order of writes. A listener that throws is a bug, and no reason not to answer. */
  #wake(request: WriteRequest, answer: WriteAnswer): void {
    const wake = wakeOf(request, answer, (session) => this.#signals.hears(session))
    if (wake === null) return
    try {
      this.#signals.wake(wake.session, wake.wake)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

function wakeOf(
  request: WriteRequest,
  answer: WriteAnswer,
  hears: (session: SessionId) => boolean,
): { readonly session: SessionId; readonly wake: Wake } | null {
  if (request.kind === 'remove' && answer === true) {
    return { session: request.session, wake: { kind: 'removed' } }
  }
  if (request.kind !== 'commit' || answer === null || typeof answer !== 'object') return null
  const { session, events = [] } = request.commit
  if (!('outcome' in answer) || answer.outcome !== 'committed') return null
  if (events.length === 0 || !hears(session)) return null
  const { epoch, first, last } = answer
  return {
    session,
    wake: { kind: 'committed', epoch, first, last, events: assign(events, answer) },
  }
}

function freeBytes(path: string): number {
  const { bavail, bsize } = statfsSync(path)
  return bavail * bsize
}

/** Whether the work was done in time. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(resolve, timeoutMs, false)
  try {
    return await Promise.race([work.then(() => true), promise])
  } finally {
    clearTimeout(timer)
  }
}
