import { readFileSync } from 'node:fs'
import { SETTINGS, type Config, type Parsed, type Setting } from './config.ts'
import { misspelt, sayMisspelt, type Misspelt } from './config-names.ts'
import { CONFIG_RULES } from './config-rules.ts'
import { developmentCredentials, type DevelopmentCredentials } from './development-credentials.ts'
import type { ApiKey } from './config-values.ts'
import { IN_MEMORY } from './core/in-memory.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The settings do not allow a start. The message names every problem, and no value. */
export class ConfigError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      `unable to start; the settings have problems:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/**
 * Reads the settings. Variables that are empty count as not set.
 * @throws ConfigError with every problem at once
 */
export function parseConfig(
  env: Environment,
  readFile = (path: string): string => readFileSync(path, 'utf8'),
): Config {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [name, entry] of settings()) {
    const result = readSetting(name, entry, env, readFile)
    if ('problem' in result) problems.push(result.problem)
    else values[camel(name)] = result.value
  }
  // Each value is what the schema of its name gave, and the type is made of the same table.
  const config = settle(values)
  problems.push(...CONFIG_RULES.flatMap((rule) => rule.problems(config)))
  if (problems.length > 0 || !isWhole(config)) {
    throw new ConfigError([...problems, ...misspelt(env).map(sayMisspelt)])
  }
  return deepFreeze(config)
}

/** What follows from the settings that could be read. */
function settle({ host, demo, auditLog, ...read }: Partial<Parsed>): Partial<Config> {
  if (read.nodeEnv === undefined) return read
  const production = read.nodeEnv === 'production'
  return {
    ...read,
    production,
    host: host ?? (production ? '0.0.0.0' : '127.0.0.1'),
    demo: demo === 'on' || (demo === 'auto' && !production),
    auditLog: auditLog === 'on' || (auditLog === 'auto' && production),
  }
}

/** Whether each name of the table has its value, and with them what follows from it. */
function isWhole(config: Partial<Config>): config is Config {
  return settings().every(([name]) => camel(name) in config) && 'production' in config
}

/** A Config that has all the credentials that a server needs. */
export interface LoadedConfig extends Config {
  readonly apiKeys: readonly ApiKey[]
}

export interface Loaded {
  readonly config: LoadedConfig
  /** What was made for this machine, so that whoever started the server can be told; `null` where the settings hold credentials. */
  readonly development: DevelopmentCredentials | null
  /** What is set, and near to a setting that is not. */
  readonly misspelt: readonly Misspelt[]
}

/**
 * The settings, with credentials of its own where a server in development has none.
 * @throws ConfigError
 */
export function loadConfig(env: Environment): Loaded {
  const config = parseConfig(env)
  const { apiKeys, tokenSecret } = config
  const needsSecret = tokenSecret === null && config.tokenJwksUrl === null
  if (apiKeys !== null && apiKeys.length > 0 && !needsSecret)
    return { config: { ...config, apiKeys }, development: null, misspelt: misspelt(env) }
  const development = developmentCredentials(config.dataDir === IN_MEMORY ? null : config.dataDir)
  return {
    config: deepFreeze({
      ...config,
      apiKeys: apiKeys !== null && apiKeys.length > 0 ? apiKeys : [development.apiKey],
      tokenSecret: needsSecret ? development.tokenSecret : tokenSecret,
    }),
    development,
    misspelt: misspelt(env),
  }
}

type Read = { readonly value: unknown } | { readonly problem: string }

function readSetting(
  name: string,
  entry: Setting<unknown>,
  env: Environment,
  readFile: (path: string) => string,
): Read {
  const path = entry.file === true ? env[`${name}_FILE`] || undefined : undefined
  let text = env[name]?.trim() || undefined
  if (path !== undefined && text !== undefined)
    return { problem: `${name} and ${name}_FILE are both set; set one` }
  if (path !== undefined) {
    try {
      text = readFile(path).trim()
    } catch (error) {
      const reason =
        error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be read'
      return { problem: `${name}_FILE cannot be read (${reason}): ${path}` }
    }
    if (text === '') return { problem: `${name}_FILE is empty: ${path}` }
  }
  text ??= entry.default ?? undefined
  if (text === undefined) return { value: null }
  const parsed = entry.schema.safeParse(text)
  return parsed.success
    ? { value: parsed.data }
    : { problem: `${name} ${parsed.error.issues.map((issue) => issue.message).join('; ')}` }
}

function settings(): [string, Setting<unknown>][] {
  return Object.values(SETTINGS).flatMap((table) => Object.entries<Setting<unknown>>(table))
}

/** The name that a setting has in a Config: REDIS_URL is redisUrl. */
export function camel(name: string): string {
  return name.toLowerCase().replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
