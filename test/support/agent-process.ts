import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Said } from './effect-agent.ts'
import { until } from './until.ts'

const MAIN = join(import.meta.dirname, 'effect-agent.ts')
const running = new Set<ChildProcess>()

// Tests that crash, or are stopped, leave nothing behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** An agent as a process. See effect-agent.ts. */
export function startAgentProcess(env: Readonly<Record<string, string>>) {
  const said: Said[] = []
  let output = ''
  let rest = ''
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    said.push(...lines.map((line) => JSON.parse(line) as Said))
  })
  const alive = (): boolean => child.exitCode === null && child.signalCode === null
  return {
    said,
    /** Until it holds at its step, or whatever else is waited for. */
    until: (what: string, holds: () => boolean) =>
      until(what, () => holds() || !alive(), { instead: () => [said, output] }),
    kill: async () => {
      if (!alive()) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    /** Lets it come to its end. @throws Error where that is a bad one */
    done: async (): Promise<readonly Said[]> => {
      if (alive()) await once(child, 'close')
      if (child.exitCode !== 0) throw new Error(`the agent failed: ${output}`)
      return said
    },
  }
}
