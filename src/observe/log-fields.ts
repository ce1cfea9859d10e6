import type { LogFields } from '../core/log.ts'
import { scrub } from './scrub.ts'

/** Names whose values are never logged, whatever they hold. */
const PRIVATE =
  /token|secret|password|passphrase|authorization|cookie|credential|ticket|api_?key|payload|^data$|^body$|^text$|^args$|^value$|^raw/i
const REDACTED = '[redacted]'
const MAX_DEPTH = 3
const MAX_ENTRIES = 30
const MAX_FRAMES = 12

/** Fields as they are logged: what is known to be safe, and nothing else of anything. */
export function cleanFields(fields: LogFields): Record<string, unknown> {
  return cleanEntries(fields, 0)
}

function cleanEntries(object: object, depth: number): Record<string, unknown> {
  const clean: [string, unknown][] = []
  for (const [name, value] of Object.entries(object).slice(0, MAX_ENTRIES)) {
    if (value === undefined) continue
    clean.push([
      scrub(name),
      PRIVATE.test(name) && !isCount(value) ? REDACTED : cleanValue(value, depth),
    ])
  }
  return Object.fromEntries(clean)
}

/** `tokens: 5` is a number of tokens. */
function isCount(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean' || value === null
}

function cleanValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return scrub(value)
    case 'number':
    case 'boolean':
      return value
    case 'bigint':
      return String(value)
    case 'object':
      return value === null ? null : cleanObject(value, depth + 1)
    case 'undefined':
    case 'function':
    case 'symbol':
      return `[${typeof value}]`
  }
}

function cleanObject(value: object, depth: number): unknown {
  if (value instanceof Error) return cleanError(value, depth)
  if (depth > MAX_DEPTH) return '[…]'
  if (Array.isArray(value))
    return value.slice(0, MAX_ENTRIES).map((entry) => cleanValue(entry, depth))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return cleanEntries(value, depth)
  // An instance of a class may hold anything: a request its headers, a secret itself.
  return `[${scrub(value.constructor.name)}]`
}

/** The properties of errors that hold no input: the system's, and the code of a refusal. */
const SAFE = ['code', 'errno', 'syscall', 'address', 'port', 'facts', 'retryAfterMs'] as const

function cleanError(error: Error, depth: number): Record<string, unknown> {
  const known: Error & Partial<Record<(typeof SAFE)[number] | 'command', unknown>> = error
  const clean: Record<string, unknown> = { type: scrub(error.name), message: messageOf(error) }
  for (const name of SAFE) {
    if (known[name] !== undefined) clean[name] = cleanValue(known[name], depth)
  }
  const command = commandName(known.command)
  if (command !== null) clean['command'] = command
  if (typeof error.stack === 'string') clean['stack'] = framesOf(error, error.stack)
  if (error.cause !== undefined && depth < MAX_DEPTH)
    clean['cause'] = cleanValue(error.cause, depth)
  if (error instanceof AggregateError && depth < MAX_DEPTH) {
    clean['errors'] = error.errors.slice(0, 5).map((inner) => cleanValue(inner, depth))
  }
  return clean
}

/** The parser's errors quote what they could not parse. */
function messageOf(error: Error): string {
  return scrub(
    error instanceof SyntaxError ? error.message.replace(/"[^]*"/, '"…"') : error.message,
  )
}

/** Where it happened, without the message that every stack begins with. */
function framesOf(error: Error, stack: string): readonly string[] {
  const start = stack.indexOf(error.message)
  const rest = error.message === '' || start < 0 ? stack : stack.slice(start + error.message.length)
  return rest
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, MAX_FRAMES)
    .map((line) => scrub(line.trim()))
}

/** Of a command that failed, its name: its arguments are keys and payloads. */
function commandName(command: unknown): string | null {
  if (typeof command !== 'object' || command === null || !('name' in command)) return null
  return typeof command.name === 'string' ? scrub(command.name) : null
}
