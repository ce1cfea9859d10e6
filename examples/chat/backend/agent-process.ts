// The agent, in a process of its own, so that it can be frozen and killed like a real one.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Heldline } from './heldline.ts'

const MAIN = fileURLToPath(new URL('../agent/main.ts', import.meta.url))

/** How long nobody minds that it is gone: longer than its lease, so that people see what is lost. */
const BACK_AFTER_MS = 12_000

export type Harm = 'freeze' | 'thaw' | 'kill'

const SIGNALS = { freeze: 'SIGSTOP', thaw: 'SIGCONT', kill: 'SIGKILL' } as const

export class AgentProcess {
  readonly #env: NodeJS.ProcessEnv
  readonly #execArgv: readonly string[]
  readonly #backAfterMs: number
  readonly #sessions = new Set<string>()
  #child: ChildProcess | null = null
  #back: NodeJS.Timeout | null = null
  #frozen = false
  #closed = false

  constructor(
    { url, key }: Heldline,
    execArgv: readonly string[],
    env: NodeJS.ProcessEnv = {},
    backAfterMs = BACK_AFTER_MS,
  ) {
    this.#env = { ...process.env, ...env, HELDLINE_URL: url, HELDLINE_KEY: key }
    this.#execArgv = execArgv
    this.#backAfterMs = backAfterMs
  }

  /** Resolves when it is ready. */
  async start(): Promise<void> {
    const child = fork(MAIN, [], { env: this.#env, execArgv: [...this.#execArgv] })
    this.#child = child
    this.#frozen = false
    child.once('exit', () => this.#ended(child))
    child.once('error', () => this.#ended(child))
    await Promise.race([once(child, 'message'), once(child, 'exit')])
    for (const session of this.#sessions) this.#tell(session)
  }

  /** From now on it answers in this session. */
  follow(session: string): void {
    this.#sessions.add(session)
    this.#tell(session)
  }

  get frozen(): boolean {
    return this.#frozen
  }

  harm(what: Harm): void {
    const isDone = this.#child?.kill(SIGNALS[what]) === true
    if (isDone && what !== 'kill') this.#frozen = what === 'freeze'
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#back !== null) clearTimeout(this.#back)
    const child = this.#child
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** It may be gone before the word arrives: the next one is told of all. */
  #tell(session: string): void {
    if (this.#child?.connected === true) this.#child.send({ session }, () => undefined)
  }

  #ended(child: ChildProcess): void {
    if (this.#closed || this.#child !== child) return
    this.#child = null
    this.#frozen = false
    this.#back = setTimeout(() => {
      this.#back = null
      // One that could not be started has ended, too: the next is on its way.
      this.start().catch((error: unknown) => console.error(error))
    }, this.#backAfterMs)
  }
}
