import { HeldlineError } from '../../protocol/errors.ts'
import type { By } from '../../protocol/event.ts'
import type { SessionId } from '../../protocol/ids.ts'
import { bytesOf, exceedsBytes } from '../bytes.ts'
import type { Known, Transition } from '../commit.ts'
import type { Random } from '../random.ts'
import { rawEventOf, withRaw } from '../raw-data.ts'
import { FIELD } from '../record.ts'
import type { Committed } from '../store.ts'
import type { CommitParts } from './commit-parts.ts'
import {
  parseStateIndex,
  parseStateText,
  stateIndexText,
  stateText,
  type StateField,
} from './state-record.ts'

/** What must be so for a change to be made: this version, any, none at all; `null`: nothing. [P-12.2] */
export type StateCondition = number | 'set' | 'unset' | null

export interface StateRequest {
  readonly session: SessionId
  readonly key: string
  readonly condition: StateCondition
  readonly by: By
  readonly limits: StateLimits
}

export interface StateLimits {
  readonly maxStateKeys: number
  readonly maxStateBytes: number
  readonly maxEventBytes: number
}

export interface StateChanged {
  readonly version: number
  /** Of the change; `null`: there was nothing to change. */
  readonly committed: Committed | null
}

/**
 * Makes of what is there, at the moment of the commit, something else.
 * @returns JSON text, `null` to delete
 * @throws HeldlineError where it cannot
 */
export type StateChange = (before: string | null) => string | null

/**
 * Sets or deletes a key. A change is made of the value that it replaces: where another comes first, it is made anew. [P-12.1]
 * @throws HeldlineError `session_closed`, `version_conflict`, `session_limit`, `payload_too_large`, what the change throws
 */
export function changeState(
  request: StateRequest,
  change: StateChange,
  random: Random,
): Transition<StateChanged> {
  const { session, key, condition, by, limits } = request
  const field = FIELD.state(key)
  return {
    session,
    reads: [field, FIELD.stateIndex, FIELD.closed],
    decide: (known) => {
      refuseClosed(known)
      const text = known.fields.get(field) ?? null
      const before = parseStateText(text)
      demandCondition(condition, before)
      const value = change(before.value)
      if (value === null && before.value === null) {
        return { done: { version: before.version, committed: null } }
      }
      const after = { version: before.version + 1, value }
      const { guards, writes } = indexed(known, key, before.value, value, limits)
      return {
        commit: {
          guards: [{ field: FIELD.closed, equals: null }, { field, equals: text }, ...guards],
          events: [stateEvent(key, after, by, random)],
          writes: [{ field, value: stateText(after) }, ...writes],
        },
        answer: (committed) => ({ version: after.version, committed }),
      }
    },
  }
}

function stateEvent(key: string, { version, value }: StateField, by: By, random: Random) {
  const type = value === null ? 'state.deleted' : 'state.set'
  return rawEventOf(type, withRaw({ key, version }, { value }), by, random)
}

function demandCondition(condition: StateCondition, { version, value }: StateField): void {
  const holds =
    condition === null ||
    (condition === 'set' && value !== null) ||
    (condition === 'unset' && value === null) ||
    (condition === version && value !== null)
  if (holds) return
  const is = value === null ? 'the key is not set' : `the version is ${version}`
  throw new HeldlineError('version_conflict', `unable to change; ${is}`, {
    facts: { version: value === null ? null : version },
  })
}

/**
 * The index after the change. The key's own field guards its entry, so a change that leaves the entry as it is needs no guard: changes of
 * different keys are in each other's way only where sizes change.
 */
function indexed(
  known: Known,
  key: string,
  old: string | null,
  value: string | null,
  limits: StateLimits,
): Pick<CommitParts, 'guards' | 'writes'> {
  const text = known.fields.get(FIELD.stateIndex) ?? null
  const index = parseStateIndex(text)
  if (value !== null) demandValue(value, limits.maxEventBytes)
  const bytes = value === null ? undefined : viewBytes(value)
  // Of the key's field, not of the index: after a conflict only what was guarded is known anew.
  const before = old === null ? undefined : viewBytes(old)
  if (before === bytes) return { guards: [], writes: [] }
  if (bytes === undefined) index.delete(key)
  else index.set(key, bytes)
  // What makes room is never refused.
  if ((bytes ?? 0) > (before ?? 0)) demandRoom(index, limits)
  return {
    guards: [{ field: FIELD.stateIndex, equals: text }],
    writes: [{ field: FIELD.stateIndex, value: stateIndexText(index) }],
  }
}

/** What a value takes of the view, which spells it anew: a short `1e20` is long there. */
function viewBytes(value: string): number {
  return Math.max(bytesOf(value), bytesOf(JSON.stringify(JSON.parse(value))))
}

function demandValue(value: string, maxBytes: number): void {
  if (!exceedsBytes(value, maxBytes)) return
  throw new HeldlineError('payload_too_large', `unable to set; it is over ${maxBytes} bytes`, {
    facts: { maxBytes },
  })
}

function demandRoom(index: ReadonlyMap<string, number>, limits: StateLimits): void {
  const { maxStateKeys: maxKeys, maxStateBytes: maxBytes } = limits
  if (index.size > maxKeys) {
    throw new HeldlineError('session_limit', `unable to set; the state has ${maxKeys} keys`, {
      facts: { maxKeys },
    })
  }
  const total = [...index.values()].reduce((sum, each) => sum + each, 0)
  if (total > maxBytes) {
    throw new HeldlineError('session_limit', `unable to set; the state is over ${maxBytes} bytes`, {
      facts: { maxBytes },
    })
  }
}

function refuseClosed(known: Known): void {
  if ((known.fields.get(FIELD.closed) ?? null) === null) return
  throw new HeldlineError('session_closed', 'unable to change; the session is closed')
}
