import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { CliError, createApi, type Api } from './api.ts'

type Options = NonNullable<ParseArgsConfig['options']>

/** What every command that talks to a server takes. */
export const COMMON = {
  url: { type: 'string' },
  key: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies Options

export interface Parsed {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
}

/** @throws CliError for an option that the command does not know */
export function parseOptions(args: readonly string[], options: Options): Parsed {
  try {
    return parseArgs({
      args: [...args],
      options: { ...COMMON, ...options },
      allowPositionals: true,
    })
  } catch (error) {
    throw new CliError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

export function text(parsed: Parsed, name: string): string | undefined {
  const value = parsed.values[name]
  return typeof value === 'string' ? value : undefined
}

/** Every value of an option that may stand several times, each also split at commas. */
export function texts(parsed: Parsed, name: string): string[] {
  const value = parsed.values[name]
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value]
  return list.flatMap((one) => String(one).split(',')).filter((one) => one !== '')
}

/**
 * The server by `--url` or HELDLINE_URL (default: this machine), with the key by `--key`, HELDLINE_KEY, the first of API_KEYS, or the one that a
 * server in development keeps in its data folder.
 */
export function connect(parsed: Parsed, env: NodeJS.ProcessEnv): Api {
  const url =
    text(parsed, 'url') ?? env['HELDLINE_URL'] ?? `http://127.0.0.1:${env['PORT'] ?? '4400'}`
  const key =
    text(parsed, 'key') ?? env['HELDLINE_KEY'] ?? env['API_KEYS']?.split(',')[0] ?? keptKey(env)
  if (key === undefined) {
    throw new CliError('unable to find a key; give --key <id>:<secret> or set HELDLINE_KEY')
  }
  return createApi(url, key)
}

function keptKey(env: NodeJS.ProcessEnv): string | undefined {
  try {
    const path = join(env['DATA_DIR'] ?? './data', 'development-credentials.json')
    const kept = JSON.parse(readFileSync(path, 'utf8')) as { apiKeySecret: string }
    return `dev:${kept.apiKeySecret}`
  } catch {
    // No data folder here: the user has to say the key, and is told so.
    return undefined
  }
}

/** `90s`, `15m`, `2h`, `1d` or milliseconds. @throws CliError */
export function duration(value: string): number {
  const match = /^(\d+)(ms|s|m|h|d)?$/.exec(value)
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? 'ms']
  if (match === null || unit === undefined)
    throw new CliError(`unable to read the duration ${value}; write 15m or 2h`)
  return Number(match[1]) * unit
}
