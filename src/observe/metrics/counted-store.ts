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
import type { SessionId } from '../../protocol/ids.ts'
import { HeldlineError } from '../../protocol/errors.ts'
import { CommittedEvents } from './committed-events.ts'
import type { Numbers } from './numbers.ts'

/** A store that is another one, and counts what is asked of it. */
export class CountedStore implements Store {
  readonly #store: Store
  readonly #numbers: Numbers
  readonly #events: CommittedEvents

  constructor(store: Store, numbers: Numbers) {
    this.#store = store
    this.#numbers = numbers
    this.#events = new CommittedEvents(numbers)
    numbers.series('heldline_store_durability_info').cell(store.durability).value = 1
  }

  get durability(): Durability {
    return this.#store.durability
  }

  commit(request: CommitRequest): Promise<CommitResult> {
    return this.#watch('commit', this.#store.commit(request), (result) => {
      this.#numbers.series('heldline_commits_total').add(1, result.outcome)
      if (result.outcome === 'committed') this.#events.count(request.events ?? [])
    })
  }

  read(session: SessionId, range: ReadRange): Promise<Page | null> {
    return this.#watch('read', this.#store.read(session, range))
  }

  heads(sessions: readonly SessionId[]): Promise<(LogHead | null)[]> {
    return this.#watch('heads', this.#store.heads(sessions))
  }

  fields(session: SessionId, names: readonly string[]): Promise<Map<string, string | null> | null> {
    return this.#watch('fields', this.#store.fields(session, names))
  }

  list(query: ListQuery): Promise<ListPage> {
    return this.#watch('list', this.#store.list(query))
  }

  due(limit: number): Promise<DueDeadline[]> {
    return this.#watch('due', this.#store.due(limit))
  }

  trim(session: SessionId, policy: TrimPolicy): Promise<TrimResult | null> {
    return this.#watch('trim', this.#store.trim(session, policy), (result) => {
      this.#numbers.series('heldline_trimmed_events_total').add(result?.trimmed ?? 0)
    })
  }

  remove(session: SessionId, guard?: DeadlineGuard): Promise<boolean> {
    return this.#watch('remove', this.#store.remove(session, guard))
  }

  check(): Promise<StoreHealth> {
    return this.#store.check()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #watch<Result>(
    op: string,
    answer: Promise<Result>,
    answered?: (result: Result) => void,
  ): Promise<Result> {
    const began = performance.now()
    const over = (): void => {
      const seconds = (performance.now() - began) / 1000
      this.#numbers.histogram('heldline_store_duration_seconds').observe({ op }, seconds)
    }
    return answer.then(
      (result) => {
        over()
        answered?.(result)
        return result
      },
      (error: unknown) => {
        over()
        const code = error instanceof HeldlineError ? error.code : 'internal'
        this.#numbers.series('heldline_store_errors_total').add(1, op, code)
        throw error
      },
    )
  }
}
