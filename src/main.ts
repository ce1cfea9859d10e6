#!/usr/bin/env node
import { runCommand } from './cli/run.ts'
import { serve } from './serve.ts'

const [command = 'serve', ...rest] = process.argv.slice(2)

if (command === 'serve' && !rest.includes('--help') && !rest.includes('-h')) {
  process.exitCode = await serve(process.env)
} else {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  process.once('SIGTERM', () => stop.abort())
  const io = {
    env: process.env,
    stdin: process.stdin,
    out: (line: string) => process.stdout.write(`${line}\n`),
    signal: stop.signal,
  }
  process.exitCode = await runCommand(command === 'serve' ? [] : [command, ...rest], io, (line) =>
    process.stderr.write(`${line}\n`),
  )
}
