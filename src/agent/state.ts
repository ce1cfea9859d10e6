import { AgentError, invalidAnswer } from './agent-error.ts'
import type { HttpAnswer, HttpRequest } from './http.ts'
import { jsonText } from '../protocol/formats/json-text.ts'
import type { SessionApi } from './session-api.ts'

export interface StateValue {
  readonly value: unknown
  /** Rises by one with each change. */
  readonly version: number
}

export interface WriteOptions {
  /** Only over this version; `null`: only where the key is not set. Else `version_conflict`. */
  readonly ifVersion?: number | null
}

/** One operation of a JSON Patch (RFC 6902). */
export interface PatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test'
  readonly path: string
  readonly from?: string
  readonly value?: unknown
}

/**
 * The session's shared values. [P-12] A write whose answer was lost is sent again: without `ifVersion` the value is then set twice, to the same; with it,
 * the second finds its own version there and is none the worse.
 */
export class State {
  readonly #api: SessionApi

  constructor(api: SessionApi) {
    this.#api = api
  }

  /** @returns `null` where the key is not set */
  async get(key: string): Promise<StateValue | null> {
    try {
      return await this.#api.ask({ path: pathOf(key) }, (answer) => ({
        value: answer.body,
        version: versionOf(answer),
      }))
    } catch (error) {
      if (error instanceof AgentError && error.facts['status'] === 404) return null
      throw error
    }
  }

  /** @returns the new version @throws AgentError `version_conflict` */
  set(key: string, value: unknown, options: WriteOptions = {}): Promise<number> {
    return this.#write(key, { method: 'PUT', path: pathOf(key), text: jsonText(value) }, options, {
      value,
    })
  }

  /**
   * Changes the value that is there at that moment: an array is a JSON Patch, an object a merge patch (`null` removes).
   * @returns the new version @throws AgentError `patch_failed`, `version_conflict`
   */
  patch(
    key: string,
    patch: Readonly<Record<string, unknown>> | readonly PatchOperation[],
    options: WriteOptions = {},
  ): Promise<number> {
    const type = Array.isArray(patch) ? 'json-patch' : 'merge-patch'
    const headers = { 'content-type': `application/${type}+json` }
    const request = { method: 'PATCH', path: pathOf(key), text: jsonText(patch), headers } as const
    return this.#write(key, request, options)
  }

  /** Where the key is not set, it is not set afterwards either. */
  async delete(key: string, options: WriteOptions = {}): Promise<void> {
    try {
      const headers = conditionOf(options)
      await this.#api.ask({ method: 'DELETE', path: pathOf(key), headers }, deleted)
    } catch (error) {
      if (!(error instanceof AgentError) || error.facts['status'] !== 404) throw error
    }
  }

  async #write(
    key: string,
    request: HttpRequest,
    options: WriteOptions,
    written?: { readonly value: unknown },
  ): Promise<number> {
    const headers = { ...request.headers, ...conditionOf(options) }
    try {
      return await this.#api.ask({ ...request, headers }, versionOf)
    } catch (error) {
      const mine = await this.#isOwn(error, key, options, written)
      if (mine === null) throw error
      return mine
    }
  }

  /** Whether what stands in the way is what an earlier attempt of this very write put there. */
  async #isOwn(
    error: unknown,
    key: string,
    { ifVersion }: WriteOptions,
    written: { readonly value: unknown } | undefined,
  ): Promise<number | null> {
    const conflict = error instanceof AgentError && error.code === 'version_conflict'
    if (!conflict || written === undefined || typeof ifVersion !== 'number') return null
    const found = await this.get(key)
    if (found?.version !== ifVersion + 1) return null
    return jsonText(found.value) === jsonText(written.value) ? found.version : null
  }
}

function pathOf(key: string): string {
  return `/state/${encodeURIComponent(key)}`
}

function conditionOf({ ifVersion }: WriteOptions): Record<string, string> {
  if (ifVersion === undefined) return {}
  return ifVersion === null ? { 'if-none-match': '*' } : { 'if-match': `"${ifVersion}"` }
}

/** There is nothing to say of it. */
function deleted({ status }: HttpAnswer): void {
  if (status !== 204) throw invalidAnswer('unable to read the answer to a deletion')
}

function versionOf({ headers, body }: HttpAnswer): number {
  const tag = headers.get('etag')?.replaceAll('"', '')
  const said = (body as { readonly version?: unknown } | null)?.version
  const version = Number(tag ?? said)
  if (Number.isSafeInteger(version)) return version
  throw invalidAnswer('unable to read the version of the state')
}
