import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Tasks } from '../load/worker.ts'

const WORKER = fileURLToPath(new URL('../load/worker.ts', import.meta.url))

/** The load process, as seen from the run. */
export class Load {
  readonly #child: ChildProcess

  constructor() {
    this.#child = fork(WORKER, [], { execArgv: ['--no-warnings', '--max-old-space-size=4096'] })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** @throws Error when the task failed, above all when a delivery was wrong */
  async run<K extends keyof Tasks>(
    task: K,
    ...[params]: Parameters<Tasks[K]>
  ): Promise<Awaited<ReturnType<Tasks[K]>>> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      const ended = (): void => reject(new Error('the load process has ended'))
      this.#child.once('exit', ended)
      this.#child.once('message', (message) => {
        this.#child.off('exit', ended)
        resolve(message as Answer)
      })
      this.#child.send({ task, params })
    })
    if ('error' in answer) throw new Error(`${task} failed: ${answer.error}`)
    // The worker answers each task with its own result: `Tasks` is its table.
    return answer.result as Awaited<ReturnType<Tasks[K]>>
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return
    await new Promise<void>((resolve) => {
      this.#child.once('exit', () => resolve())
      this.#child.disconnect()
    })
  }
}
