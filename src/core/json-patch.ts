import { HeldlineError } from '../protocol/errors.ts'

/** An operation of a JSON Patch. [RFC 6902] */
export type PatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly path: string; readonly from: string }

/**
 * Applies a patch, whole or not at all. The document is the caller's own and may be changed; the operations are not.
 * Only members that an object has of its own count, and a member of any name is no more than a member.
 * @param maxBytes of what the operations may add together: copies of copies double with each step
 * @throws HeldlineError `patch_failed` with the index of the operation, `payload_too_large`
 */
export function applyJsonPatch(
  document: unknown,
  operations: readonly PatchOperation[],
  maxBytes: number,
): unknown {
  const budget = { left: maxBytes }
  return operations.reduce((current, operation, index) => {
    try {
      return apply(current, operation, budget)
    } catch (error) {
      if (error instanceof Misfit) throw misfitAt(index, error)
      throw error
    }
  }, document)
}

/** What an operation finds is not what it needs. */
class Misfit extends Error {}

function misfitAt(index: number, cause: Misfit): HeldlineError {
  return new HeldlineError(
    'patch_failed',
    `unable to patch; operation ${index}: ${cause.message}`,
    {
      cause,
      facts: { index },
    },
  )
}

type Budget = { left: number }

function apply(document: unknown, operation: PatchOperation, budget: Budget): unknown {
  const path = tokensOf(operation.path)
  switch (operation.op) {
    case 'add':
      return add(document, path, copyOf(operation.value, budget))
    case 'remove':
      return remove(document, path)
    case 'replace':
      return replace(document, path, copyOf(operation.value, budget))
    case 'move':
      return move(document, tokensOf(operation.from), path)
    case 'copy':
      return add(document, path, copyOf(at(document, tokensOf(operation.from)), budget))
    case 'test':
      if (!equal(at(document, path), operation.value)) throw new Misfit('the value is another')
      return document
  }
}

/** The reference tokens of a JSON Pointer. [RFC 6901] */
function tokensOf(pointer: string): readonly string[] {
  if (pointer === '') return []
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) throw new Misfit('not a JSON Pointer')
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

function at(document: unknown, path: readonly string[]): unknown {
  return path.reduce(child, document)
}

function child(node: unknown, token: string): unknown {
  if (Array.isArray(node)) return node[indexOf(token, node.length - 1)]
  if (isObject(node) && Object.hasOwn(node, token)) return node[token]
  throw new Misfit('there is nothing at the path')
}

function indexOf(token: string, last: number): number {
  const index = /^(?:0|[1-9]\d{0,15})$/.test(token) ? Number(token) : Number.NaN
  if (index <= last) return index
  throw new Misfit('the array has no such index')
}

/** The container that a path ends in, and the last token; `null`: the path is the whole document. */
function endOf(document: unknown, path: readonly string[]) {
  const token = path.at(-1)
  if (token === undefined) return null
  const node = at(document, path.slice(0, -1))
  if (Array.isArray(node) || isObject(node)) return { node, token }
  throw new Misfit('there is nothing at the path')
}

function add(document: unknown, path: readonly string[], value: unknown): unknown {
  const end = endOf(document, path)
  if (end === null) return value
  const { node, token } = end
  if (!Array.isArray(node)) put(node, token, value)
  else node.splice(token === '-' ? node.length : indexOf(token, node.length), 0, value)
  return document
}

function remove(document: unknown, path: readonly string[]): unknown {
  const end = endOf(document, path)
  if (end === null) throw new Misfit('nothing would be left; delete the key')
  const { node, token } = end
  child(node, token)
  if (Array.isArray(node)) node.splice(Number(token), 1)
  else Reflect.deleteProperty(node, token)
  return document
}

function replace(document: unknown, path: readonly string[], value: unknown): unknown {
  const end = endOf(document, path)
  if (end === null) return value
  const { node, token } = end
  child(node, token)
  if (Array.isArray(node)) node[Number(token)] = value
  else put(node, token, value)
  return document
}

function move(document: unknown, from: readonly string[], path: readonly string[]): unknown {
  const value = at(document, from)
  const within = from.every((token, index) => token === path[index])
  if (within && from.length === path.length) return document
  if (within) throw new Misfit('a value does not move into itself')
  return add(remove(document, from), path, value)
}

/** As a member of its own, whatever the name means to the language. */
function put(node: object, key: string, value: unknown): void {
  Object.defineProperty(node, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  })
}

function copyOf(value: unknown, budget: Budget): unknown {
  const text = JSON.stringify(value)
  budget.left -= text.length
  if (budget.left < 0) {
    throw new HeldlineError('payload_too_large', 'unable to patch; the patch adds too much')
  }
  return JSON.parse(text)
}

function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]))
  }
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
