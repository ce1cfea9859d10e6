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
  if (loaded === null) return 78
  const { logLevel, auditLog } = loaded.config
  const lines = createLogs({ level: logLevel })
  const log = quietLog(lines.log, new SystemClock())
  process.on('uncaughtException', (error) => {
    log.error('process.uncaught', { error })
    process.exit(1)
  })
  try {
    const server = await startServer(loaded.config, log, auditLog ? lines.audit : null)
    announce(server, loaded)
    return await untilStopped(server, loaded.config.drainMs)
  } catch (error) {
    process.stderr.write(`heldline: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

function load(env: NodeJS.ProcessEnv): Loaded | null {
  try {
    return loadConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    return null
  }
}

/** What a person at the terminal wants to know. */
function announce(server: HeldlineServer, { config, development }: Loaded): void {
  const lines = [`Heldline is listening on ${server.url}`]
  if (config.demo) lines.push(`  demo      ${server.url}/demo`)
  lines.push(`  docs      ${server.url}/docs`)
  if (server.metricsUrl !== null) lines.push(`  metrics   ${server.metricsUrl}`)
  if (development !== null) {
    const { id, secret } = development.apiKey
    lines.push(
      `  API key   ${id}:${secret.reveal()}   (made for this machine, kept in ${development.path})`,
    )
  }
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** The first signal drains; a second one, or a drain that takes too long, ends it at once. */
function untilStopped(server: HeldlineServer, drainMs: number): Promise<number> {
  return new Promise((resolve) => {
    let stopping = false
    const stop = (): void => {
      if (stopping) process.exit(1)
      stopping = true
      setTimeout(() => process.exit(1), drainMs + DRAIN_MARGIN_MS).unref()
      server.drain().then(
        () => resolve(0),
        () => resolve(1),
      )
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}
