import { SETTINGS, type Setting } from './config.ts'
import { camel, type LoadedConfig } from './load-config.ts'

/**
 * The settings as the audit record tells them, each as `NAME=value`, by what they are about: of a credential only whether there is one, of a URL where it
 * leads and not its path, which may be a secret, too. Of API keys, their names.
 */
export function shownConfig(config: LoadedConfig): Readonly<Record<string, readonly string[]>> {
  const values = new Map<string, unknown>(Object.entries(config))
  const tables = Object.entries(SETTINGS).map(([title, table]): [string, readonly string[]] => [
    // What is called credentials, the log leaves out whole.
    title === 'Credentials' ? 'Access' : title,
    Object.entries<Setting<unknown>>(table).map(
      ([name, { file }]) => `${name}=${shown(values.get(camel(name)), file === true)}`,
    ),
  ])
  return { ...Object.fromEntries(tables), Keys: config.apiKeys.map(({ id }) => id) }
}

function shown(value: unknown, credential: boolean): string {
  if (value === null || value === undefined) return ''
  if (credential) return '[set]'
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (Array.isArray(value) || value instanceof Set) return [...value].map(String).join(',')
  const text = typeof value === 'string' ? value : `[${typeof value}]`
  return /^https?:/.test(text) && URL.canParse(text) ? new URL(text).origin : text
}
