import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { API_KEY } from '../support/server-process.ts'
import { until } from '../support/until.ts'

const WRITER = join(import.meta.dirname, '../support/run-writer.ts')
/** The shortest there is. */
export const LEASE_MS = 5000

interface Fact {
  readonly epoch?: number
  readonly wrote?: string
  readonly refused?: string
  readonly finished?: string
}

/** An agent's process, and what it has told of itself. */
export class Agent {
  readonly facts: Fact[] = []
  readonly name: string
  readonly #child: ChildProcess

  constructor(name: string, env: Readonly<Record<string, string>>) {
    this.name = name
    const path = process.env['PATH'] ?? ''
    this.#child = spawn(process.execPath, [WRITER], {
      env: { PATH: path, AGENT: name, CREDENTIAL: API_KEY, LEASE_MS: String(LEASE_MS), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    onTestFinished(() => void this.#child.kill('SIGKILL'))
    const { stdout } = this.#child
    if (stdout === null) throw new Error('the agent has no output')
    createInterface({ input: stdout }).on('line', (line) => this.facts.push(JSON.parse(line)))
  }

  get wrote(): readonly string[] {
    return this.facts.flatMap(({ wrote }) => wrote ?? [])
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    if (this.#child.signalCode === null) await once(this.#child, 'exit')
  }

  finish(): void {
    this.#child.stdin?.write('finish\n')
  }

  async writes(count = 20): Promise<void> {
    const before = this.wrote.length
    await until('the agent writes', () => this.wrote.length >= before + count, {
      instead: () => this.facts.at(-1),
    })
  }

  async told(what: keyof Fact): Promise<unknown> {
    const found = (): unknown => this.facts.find((fact) => fact[what] !== undefined)?.[what]
    await until(`the agent tells ${what}`, () => found() !== undefined, {
      instead: () => this.facts.at(-1),
    })
    return found()
  }
}
