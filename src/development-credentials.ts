import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { Secret } from './core/secret.ts'

/** Credentials of one machine, made once: a server in development needs no set-up and is open to nobody else. */
export interface DevelopmentCredentials {
  readonly apiKey: { readonly id: string; readonly secret: Secret }
  readonly tokenSecret: Secret
  /** The file that keeps them; `null`: they end with the process. */
  readonly path: string | null
  /** Whether they were made by this very call. */
  readonly created: boolean
}

const FILE = 'development-credentials.json'
const KEY_ID = 'dev'
const stored = z.object({ apiKeySecret: z.string().min(32), tokenSecret: z.string().min(32) })

/**
 * Reads the credentials in the folder, or makes them.
 * @param folder `null`: nothing is kept
 * @throws Error naming the file when it cannot be read, written or understood; its content is never part of the message
 */
export function developmentCredentials(folder: string | null): DevelopmentCredentials {
  if (folder === null) return credentials(newSecrets(), null, true)
  const path = join(folder, FILE)
  const [created, kept] = orSay(path, () => {
    mkdirSync(folder, { recursive: true })
    return [!existsSync(path) && writeOnce(path), read(path)] as const
  })
  return credentials(kept, path, created)
}

type Secrets = z.infer<typeof stored>

function credentials(
  { apiKeySecret, tokenSecret }: Secrets,
  path: string | null,
  created: boolean,
): DevelopmentCredentials {
  return {
    apiKey: { id: KEY_ID, secret: new Secret(apiKeySecret) },
    tokenSecret: new Secret(tokenSecret),
    path,
    created,
  }
}

/** Of several processes that start at once, one writes, whole or not at all, and all read what it wrote. */
function writeOnce(path: string): boolean {
  const draft = `${path}.${process.pid}`
  const text = JSON.stringify(newSecrets())
  writeFileSync(draft, `${text}\n`, { mode: 0o600, flush: true })
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** What the system refuses, as a sentence that says where. */
function orSay<Value>(path: string, work: () => Value): Value {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error
    const reason = `unable to keep development credentials in ${path}; ${String(error.code)}`
    throw new Error(`${reason}: make its folder writable, or set DATA_DIR to another`, {
      cause: error,
    })
  }
}

function read(path: string): Secrets {
  const text = readFileSync(path, 'utf8')
  const parsed = stored.safeParse(jsonOf(text))
  if (parsed.success) return parsed.data
  throw new Error(
    `unable to read development credentials; ${path} is damaged: delete it to get new ones`,
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function newSecrets(): Secrets {
  return { apiKeySecret: newSecret(), tokenSecret: newSecret() }
}

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}
