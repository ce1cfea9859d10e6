import { HeldlineError } from '../protocol/errors.ts'
import { checkShape } from '../protocol/json.ts'
import { applyJsonPatch, type PatchOperation } from './json-patch.ts'
import { applyMergePatch } from './merge-patch.ts'

/** A change of a JSON value, by either of the two media types. [P-12.3] */
export type Patch =
  | { readonly kind: 'merge'; readonly patch: unknown }
  | { readonly kind: 'json'; readonly operations: readonly PatchOperation[] }

/**
 * The text of a value after a patch. It is the caller's text no more: it is written anew.
 * @param before `null`: nothing is there
 * @throws HeldlineError `state_not_found`, `patch_failed`, `payload_too_large`
 */
export function patchText(before: string | null, patch: Patch, maxBytes: number): string {
  const text = JSON.stringify(patched(before, patch, maxBytes), keepNumber)
  if (checkShape(text) !== null) throw failed('the value would be too deep, or have too many keys')
  return text
}

function patched(before: string | null, patch: Patch, maxBytes: number): unknown {
  if (patch.kind === 'merge') {
    return applyMergePatch(before === null ? null : parseExact(before), patch.patch)
  }
  if (before === null) throw new HeldlineError('state_not_found', 'there is no such key to patch')
  return applyJsonPatch(parseExact(before), patch.operations, 4 * maxBytes)
}

/** As a value whose every number is the one that the text has: what would come back as another is not touched at all. */
function parseExact(text: string): unknown {
  return JSON.parse(text, function (_key, value: unknown, context?: { readonly source?: string }) {
    if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
    const source = context?.source ?? ''
    if (!Number.isFinite(value) || /^-?\d+$/.test(source)) {
      throw failed('the value holds a number that a patch cannot keep; set the value as a whole')
    }
    return value
  } satisfies (
    this: unknown,
    key: string,
    value: unknown,
    context?: { source?: string },
  ) => unknown)
}

/** Of a patch, a number that is too large for the language would be written as null. */
function keepNumber(_key: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw failed('the patch holds a number that is too large')
  }
  return value
}

function failed(why: string): HeldlineError {
  return new HeldlineError('patch_failed', `unable to patch; ${why}`)
}
