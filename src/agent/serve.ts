import type { AgentSession, RunOptions } from './agent-session.ts'
import { sleep } from './clock.ts'
import type { Run } from './run.ts'
import type { SessionApi } from './session-api.ts'
import type { SessionWatch } from './session-watch.ts'
import { waitingInputs, type ListedInput } from './waiting-inputs.ts'

export interface ServeOptions extends Omit<RunOptions, 'run' | 'trigger' | 'adopt'> {
  /** The agent's name: runs of it that are lost are taken over. */
  readonly agent: string
  /** Ends it, between two runs. */
  readonly signal?: AbortSignal
  /** What a run threw, or why the session could not be asked; it goes on. */
  readonly onError?: (error: unknown) => void
}

/** As far as it matters here. */
interface ListedRun {
  readonly id: string
  readonly agent: string | null
  readonly trigger: string | null
  readonly status: string
}

/** After a failure, and so that processes that hear of the same do not all come at once. */
const PAUSE_MS = 1000

/** Answers what waits, and goes on with what was lost, until one of the signals fires. */
export async function serve(
  session: AgentSession,
  api: SessionApi,
  watch: SessionWatch,
  closed: AbortSignal,
  { signal = closed, onError = () => undefined, ...options }: ServeOptions,
  act: (run: Run) => unknown,
): Promise<void> {
  const over = AbortSignal.any([closed, signal])
  const { clock, random } = api.ports
  const tried = new Tried()
  while (!over.aborted) {
    const received = watch.next('input.received', over)
    const lost = watch.next('run.lost', over)
    try {
      const work = await nextOf(api, options.agent, tried, over)
      if (work === null) await Promise.race([received.come, lost.come])
      else {
        // Others may have heard of it, too.
        if (work.adopt !== undefined) await sleep(clock, random() * PAUSE_MS, over)
        await perform(session, { ...options, ...work }, act, tried)
      }
    } catch (error) {
      if (over.aborted) return
      onError(error)
      await sleep(clock, random() * PAUSE_MS, over)
    } finally {
      received.forget()
      lost.forget()
    }
  }
}

/** What could not even be started is tried again. */
async function perform(
  session: AgentSession,
  options: RunOptions,
  act: (run: Run) => unknown,
  tried: Tried,
): Promise<void> {
  let began = false
  try {
    await session.run(options, (run) => {
      began = true
      return act(run)
    })
  } catch (error) {
    if (!began && options.trigger !== undefined) tried.delete(options.trigger)
    throw error
  }
}

type Work = Pick<RunOptions, 'run' | 'trigger' | 'adopt'>

/** The oldest input that nobody has tried here, else a run that was lost. */
async function nextOf(
  api: SessionApi,
  agent: string,
  tried: Tried,
  signal: AbortSignal,
): Promise<Work | null> {
  const inputs = await waitingInputs(api, signal)
  const input = inputs.find((one) => isForAnybody(one) && !tried.has(one.id))
  if (input !== undefined) {
    tried.add(input.id)
    return { trigger: input.id }
  }
  const answer = await api.json({ path: '/runs', query: { status: 'over' }, signal })
  // The shape is the contract's. [P-10.9]
  const runs = answer['runs'] as readonly ListedRun[]
  const run = runs.find((one) => one.status === 'lost' && one.agent === agent)
  if (run === undefined) return null
  const { id, trigger } = run
  return { run: id, ...(trigger !== null && { trigger }), adopt: 'rewrite' }
}

/** One that names a run is for that run, unless it ended the run. */
function isForAnybody({ mode, run }: ListedInput): boolean {
  return run === null || mode === 'interrupt'
}

const MAX_TRIED = 1000

/** Inputs that were tried: one that has a run elsewhere waits until that run has taken it. */
class Tried {
  readonly #ids = new Set<string>()

  has(id: string): boolean {
    return this.#ids.has(id)
  }

  delete(id: string): void {
    this.#ids.delete(id)
  }

  add(id: string): void {
    this.#ids.add(id)
    const [oldest] = this.#ids
    if (this.#ids.size > MAX_TRIED && oldest !== undefined) this.#ids.delete(oldest)
  }
}
