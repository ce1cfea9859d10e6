import { sayMisspelt } from './config-names.ts'
import { ConfigError, loadConfig, type Loaded } from './load-config.ts'
import { createLogs } from './observe/log.ts'
import { quietLog } from './observe/quiet-log.ts'
import { SystemClock } from './system-ports.ts'
import { startServer, type HeldlineServer } from './server.ts'

/** Beyond the time that draining may take. */
const DRAIN_MARGIN_MS = 5000

/** Runs the server until a signal ends it. @returns the exit code */
export async function serve(env: NodeJS.ProcessEnv): Promise<number> {
  const loaded = load(env)
  if (typeof loaded === 'number') return loaded
  const { logLevel, auditLog } = loaded.config
  const lines = createLogs({ level: logLevel })
  const log = quietLog(lines.log, new SystemClock())
  process.on('uncaughtException', (error) => {
    log.error('process.uncaught', { error })
    process.exit(1)
  })
  if (loaded.misspelt.length > 0) {
    log.warn('config.not_read', { settings: loaded.misspelt.map(sayMisspelt) })
  }
  try {
    const server = await startServer(loaded.config, log, auditLog ? lines.audit : null)
    announce(server, loaded)
    return await untilStopped(server, loaded.config.drainMs)
  } catch (error) {
    return failed(error)
  }
}

/** What to start with, or the exit code: nobody has to read a stack trace to learn that a folder cannot be written. */
function load(env: NodeJS.ProcessEnv): Loaded | number {
  try {
    return loadConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) return failed(error)
    process.stderr.write(`${error.message}\n`)
    return 78
  }
}

function failed(error: unknown): number {
  process.stderr.write(`heldline: ${error instanceof Error ? error.message : String(error)}\n`)
  return 1
}

/** What a person at the terminal wants to know. */
function announce(server: HeldlineServer, { config, development }: Loaded): void {
  const lines = [`Heldline is listening on ${server.url}`]
  if (config.demo) lines.push(`  demo      ${server.url}/demo`)
  lines.push(`  docs      ${server.url}/docs`)
  if (server.metricsUrl !== null) lines.push(`  metrics   ${server.metricsUrl}`)
  if (development !== null) {
    const { apiKey, path } = development
    const kept = path === null ? 'this run, kept nowhere' : `this machine, kept in ${path}`
    lines.push(`  API key   ${apiKey.id}:${apiKey.secret.reveal()}   (made for ${kept})`)
  }
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** The first signal drains; a second one, or a drain that takes too long, ends it at once. Without its store it closes: a supervisor starts it again. */
function untilStopped(server: HeldlineServer, drainMs: number): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false
    const end = (ending: Promise<void>, code: number): void => {
      stopping = true
      setTimeout(() => process.exit(1), drainMs + DRAIN_MARGIN_MS).unref()
      ending.then(
        () => resolve(code),
        () => resolve(1),
      )
    }
    const stop = (): void => {
      if (stopping) process.exit(1)
      end(server.drain(), 0)
    }
    const untilLost = async (): Promise<void> => {
      await server.failed
      if (!stopping) end(server.close(), 1)
    }
    void untilLost()
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}
