import { isRemoval } from './agent-error.ts'
import type { AgentSession, RunOptions } from './agent-session.ts'
import type { Clock } from '../sdk/clock.ts'
import { backoffMs } from './insist.ts'
import { enough, givenUp, type ListedRun } from './lost-run.ts'
import { sleep } from './sleep.ts'
import type { Run } from './run.ts'
import type { SessionApi } from './session-api.ts'
import type { SessionWatch } from './session-watch.ts'
import { tell, tellsSafely } from './telling.ts'
import { waitingInputs, type ListedInput } from './waiting-inputs.ts'

export interface ServeOptions extends Omit<RunOptions, 'run' | 'trigger' | 'adopt' | 'deliverTo'> {
  /** The agent's name: runs of it that are lost are taken over. */
  readonly agent: string
  /** At so many inputs of the session the name works at once, whichever processes serve it; those that begin in the same moment may be more. Default 1. */
  readonly concurrency?: number
  /**
   * A run that was taken over so often and is lost again has failed, with the code `given_up`: it may be what ends the processes that work at it, by the memory
   * that it takes say. Default 5; `Infinity`: it is taken over for ever.
   */
  readonly maxAdoptions?: number
  /** Subjects that each result has to reach; `sender`: whoever sent the input that it answers. */
  readonly deliverTo?: readonly string[] | 'sender'
  /** Ends it, between two runs. */
  readonly signal?: AbortSignal
  /** What a run threw, or why the session could not be asked: it goes on, and asks less often the longer that lasts. Default: `console.error`; what it throws goes there, too. */
  readonly onError?: (error: unknown) => void
}

/** After a failure, and so that processes that hear of the same do not all come at once. */
const PAUSE_MS = 1000
/** What works in a run that is over may not look at the signal: whoever sends the next input waits for it so long, and no longer. */
const LEAVE_MS = 5000
const MAX_ADOPTIONS = 5
/** The longest pause after the session could not be asked, many times in a row. */
const ASK_AGAIN_MS = 30_000

/** What serving needs of the session. */
export interface Served {
  readonly session: AgentSession
  readonly api: SessionApi
  readonly watch: SessionWatch
  readonly closed: AbortSignal
}

/** Lets so many go on at once. */
export type Turn = (act: () => Promise<Next>) => Promise<Next>

/**
 * Answers what waits, and goes on with what was lost, until one of the signals fires.
 * @param turn given, it ends when there is nothing left to do either, and throws why the session could not be asked
 * @throws AgentError `session_not_found`: it was there, and was removed
 */
export async function serve(
  served: Served,
  options: ServeOptions,
  act: (run: Run) => unknown,
  turn?: Turn,
): Promise<void> {
  const { session, api } = served
  const onError = tellsSafely(options.onError ?? tell(session.id), session.id)
  const tried = new Tried()
  const one = (): Promise<void> => serveOne(served, { ...options, onError }, act, tried, turn)
  const deafen = api.ports.outage?.hear(onError)
  try {
    await Promise.all(Array.from({ length: options.concurrency ?? 1 }, one))
  } finally {
    deafen?.()
  }
}

/** One input after the other. */
async function serveOne(
  { session, api, watch, closed }: Served,
  {
    signal = closed,
    onError,
    concurrency = 1,
    maxAdoptions = MAX_ADOPTIONS,
    ...serving
  }: ServeOptions & Required<Pick<ServeOptions, 'onError'>>,
  act: (run: Run) => unknown,
  tried: Tried,
  turn: Turn | undefined,
): Promise<void> {
  const over = AbortSignal.any([closed, signal])
  const { clock, random } = api.ports
  let looking = true
  let known = false
  /** Times in a row that the session could not be asked. */
  let failures = 0
  const look = async (): Promise<Next> => {
    const next = await nextOf(api, { ...serving, concurrency, maxAdoptions }, tried, over)
    known = true
    failures = 0
    return next
  }
  const work = async ({ spent, ...next }: Work): Promise<void> => {
    const options = { ...serving, ...next }
    if (spent === undefined) return perform(session, options, act, tried, clock)
    // What is there stays as it is, and the end is recorded whatever is to become of what `act` throws.
    await session.run({ ...options, adopt: 'continue', onThrow: 'fail' }, (run) => {
      throw givenUp(run.id, spent)
    })
  }
  const step = async (): Promise<Next> => {
    let next = await look()
    if (typeof next === 'object' && next.adopt !== undefined) {
      // Others have heard of it, too: who comes later finds it in good hands.
      await sleep(clock, random() * PAUSE_MS, over)
      next = await look()
    }
    looking = false
    if (typeof next === 'object') await work(next)
    return next
  }
  while (!over.aborted) {
    const heard = watch.next((type) => WAKES.test(type), over)
    try {
      looking = true
      const done = turn === undefined ? await step() : await turn(step)
      if (done === 'idle' && turn !== undefined) return
      if (typeof done === 'string') await heard.come
    } catch (error) {
      if (over.aborted) return
      if (looking && (turn !== undefined || (known && isRemoval(error)))) throw error
      onError(error)
      const pauseMs = looking ? backoffMs(failures++, random, ASK_AGAIN_MS) : random() * PAUSE_MS
      await sleep(clock, pauseMs, over)
    } finally {
      heard.forget()
    }
  }
}

/** What could not even be started is tried again. */
async function perform(
  session: AgentSession,
  options: RunOptions,
  act: (run: Run) => unknown,
  tried: Tried,
  clock: Clock,
): Promise<void> {
  let began = false
  const done = new AbortController()
  const left = Promise.withResolvers<void>()
  const leave = async (): Promise<void> => {
    await sleep(clock, LEAVE_MS, done.signal)
    left.resolve()
  }
  const work = session.run(options, (run) => {
    began = true
    run.signal.addEventListener('abort', () => void leave())
    if (run.signal.aborted) void leave()
    return act(run)
  })
  try {
    await Promise.race([work, left.promise])
  } catch (error) {
    if (!began && options.trigger !== undefined) tried.delete(options.trigger)
    throw error
  } finally {
    done.abort()
  }
}

type Work = Pick<RunOptions, 'run' | 'trigger' | 'adopt'> & {
  readonly deliverTo: readonly string[]
  /** It was taken over so often that it only is to be ended. */
  readonly spent?: number
}

/** What is to be done; or nothing: `busy` while runs live that something may follow, `idle` where nothing is left to do. */
type Next = Work | 'busy' | 'idle'

type Asked = Pick<ServeOptions, 'agent' | 'deliverTo'> &
  Readonly<Required<Pick<ServeOptions, 'concurrency' | 'maxAdoptions'>>>

/**
 * What somebody wants now, else the oldest input, that nobody has tried here; else a run that was lost; nothing while enough runs of this agent live. The inputs are listed first: one that is
 * not among them any more, or was tried here, has a run that the second list shows. So a session has one run of an agent at a time, whoever serves it.
 */
async function nextOf(
  api: SessionApi,
  { agent, deliverTo = [], concurrency, maxAdoptions }: Asked,
  tried: Tried,
  signal: AbortSignal,
): Promise<Next> {
  const inputs = await waitingInputs(api, signal)
  const { runs } = await api.json({ path: '/runs', expects: 'runs', signal })
  // The shape is the contract's. [P-10.9]
  const mine = (runs as readonly ListedRun[]).filter((run) => run.agent === agent)
  const live = (runs as readonly ListedRun[]).filter(({ status }) => !isOver(status))
  if (mine.filter(({ status }) => !isOver(status)).length >= concurrency) return 'busy'
  const untried = inputs.filter(({ id }) => !tried.has(id))
  const next = untried.filter((one) => isForNext(one, live))
  const input = next.find(({ mode }) => mode === 'interrupt') ?? next[0]
  if (input !== undefined) {
    tried.add(input.id)
    return { trigger: input.id, deliverTo: deliverTo === 'sender' ? [input.by] : deliverTo }
  }
  const lost = mine.find(({ status }) => status === 'lost')
  if (lost === undefined) return untried.length > 0 ? 'busy' : 'idle'
  const { id, trigger } = lost
  const spent = await enough(api, lost, maxAdoptions, signal)
  return {
    run: id,
    ...(trigger !== null && { trigger }),
    adopt: 'rewrite',
    // Whom it is for was said when it was started.
    deliverTo: [],
    ...(spent !== null && { spent }),
  }
}

/** What was meant for a run that lives is that run's; once it is over without having taken it, the next one's. */
function isForNext({ mode, run }: ListedInput, live: readonly ListedRun[]): boolean {
  if (mode !== 'steer') return true
  return run === null ? live.length === 0 : live.every(({ id }) => id !== run)
}

function isOver(status: string): boolean {
  return OVER.has(status)
}

const OVER = new Set(['finished', 'failed', 'cancelled', 'lost'])
const WAKES = /^(input\.received|run\.(finished|failed|cancelled|lost))$/

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
