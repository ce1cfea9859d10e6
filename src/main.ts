#!/usr/bin/env node
// An older Node fails while it loads what is imported (there is no node:sqlite), and says nothing of itself:
// so it is looked at first, and nothing is imported before.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `heldline: unable to run on Node.js ${process.versions.node}; it needs 22.18 or later\n`,
  )
  process.exit(1)
}
const { runCommand } = await import('./cli/run.ts')
const { serve } = await import('./serve.ts')

const [command = 'serve', ...rest] = process.argv.slice(2)

if (command === 'serve' && (rest.includes('--help') || rest.includes('-h'))) {
  const { serveHelp } = await import('./serve-help.ts')
  process.stdout.write(serveHelp())
} else if (command === 'serve') {
  process.exitCode = await serve(process.env)
} else {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  // Whoever reads has had enough (heldline tail … | head): the end of other commands in a pipe, by SIGPIPE, in their code.
  process.stdout.on('error', (error) =>
    process.exit('code' in error && error.code === 'EPIPE' ? 141 : 1),
  )
  const io = {
    env: process.env,
    stdin: process.stdin,
    out: (line: string) => process.stdout.write(`${line}\n`),
    signal: stop.signal,
  }
  process.exitCode = await runCommand([command, ...rest], io, (line) =>
    process.stderr.write(`${line}\n`),
  )
}
