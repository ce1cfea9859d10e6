import type { StateChanged } from '../core/transitions/state.ts'
import type { Patch } from '../core/patch-text.ts'
import type { PatchOperation } from '../core/json-patch.ts'
import {
  jsonPatchBody,
  mergePatchBody,
  stateAnswer,
  stateBody,
  stateChangeAnswer,
} from '../protocol/http-state.ts'
import { formatPosition } from '../protocol/position.ts'
import { withRaw } from '../core/raw-data.ts'
import { json, jsonText, NO_CONTENT, type Answer } from './answer.ts'
import { parseBy } from './body.ts'
import type { Call } from './call.ts'
import { CONDITION_HEADERS, conditionOf, etagOf } from './if-match.ts'
import type { HttpPorts } from './ports.ts'
import type { Route } from './route.ts'

type Ports = Pick<HttpPorts, 'state' | 'durability'>

const ALL = '/v1/sessions/{session}/state'
const ONE = `${ALL}/{key}`

/** The session's shared state. [P-12] */
export function stateRoutes(ports: Ports): readonly Route[] {
  return [
    {
      method: 'GET',
      path: ALL,
      summary: 'Get every key of the shared state',
      description: 'As they are at one moment.',
      answers: { 200: { about: 'The keys that are set.', schema: stateAnswer } },
      handle: (call) => all(call, ports),
    },
    {
      method: 'GET',
      path: ONE,
      summary: 'Get the value of a key',
      description: 'The `ETag` is its version.',
      answers: { 200: { about: 'The value, as the bytes that came.', schema: stateBody } },
      errors: ['state_not_found'],
      handle: (call) => one(call, ports),
    },
    ...changes(ports),
  ]
}

const CHANGED = { 200: { about: 'It is changed.', schema: stateChangeAnswer } } as const
const ERRORS = ['session_closed', 'version_conflict', 'session_limit'] as const

function changes(ports: Ports): readonly Route[] {
  const patch = {
    method: 'PATCH',
    path: ONE,
    headers: CONDITION_HEADERS,
    answers: CHANGED,
    errors: [...ERRORS, 'patch_failed', 'state_not_found'],
  } as const
  return [
    {
      method: 'PUT',
      path: ONE,
      summary: 'Set a key',
      description: 'The body is the value, and is kept byte for byte.',
      headers: CONDITION_HEADERS,
      body: { schema: stateBody, required: true },
      answers: CHANGED,
      errors: ERRORS,
      handle: (call) => set(call, ports),
    },
    {
      ...patch,
      variant: 'application/merge-patch+json',
      summary: 'Change a key by a merge patch (RFC 7396)',
      description: 'It is applied to the value that is there at the moment of the commit.',
      body: { schema: mergePatchBody, required: true },
      handle: (call) => applyPatch(call, { kind: 'merge', patch: call.json().value }, ports),
    },
    {
      ...patch,
      variant: 'application/json-patch+json',
      summary: 'Change a key by a JSON Patch (RFC 6902)',
      description: 'All of it or nothing.',
      body: { schema: jsonPatchBody, required: true },
      handle: (call) => applyPatch(call, { kind: 'json', operations: operationsOf(call) }, ports),
    },
    {
      method: 'DELETE',
      path: ONE,
      summary: 'Delete a key',
      description: 'Its versions go on where it is set again.',
      headers: CONDITION_HEADERS,
      answers: { 204: { about: 'It is not set any more.' } },
      errors: ['session_closed', 'version_conflict'],
      handle: (call) => remove(call, ports),
    },
  ]
}

async function all(call: Call, { state }: Ports): Promise<Answer> {
  const values = await state.all(call.session)
  const texts = values.map(({ key, version, value }) => withRaw({ key, version }, { value }))
  return jsonText(`{"state":[${texts.join(',')}]}`)
}

async function one(call: Call, { state }: Ports): Promise<Answer> {
  const { version, value } = await state.get(call.session, call.id('key'))
  const answer = jsonText(value)
  return { ...answer, headers: { ...answer.headers, etag: etagOf(version) } }
}

async function set(call: Call, ports: Ports): Promise<Answer> {
  const value = call.json().text.trim()
  return changed(call, await ports.state.set(requestOf(call), value), ports)
}

async function applyPatch(call: Call, patch: Patch, ports: Ports): Promise<Answer> {
  return changed(call, await ports.state.patch(requestOf(call), patch), ports)
}

async function remove(call: Call, { state }: Ports): Promise<Answer> {
  await state.remove(requestOf(call))
  return NO_CONTENT
}

function requestOf(call: Call) {
  const { session, by } = call
  return { session, by, key: call.id('key'), condition: conditionOf(call) }
}

function operationsOf(call: Call): readonly PatchOperation[] {
  return parseBy(jsonPatchBody, call.json().value)
}

function changed(call: Call, { version, committed }: StateChanged, { durability }: Ports): Answer {
  // Only a deletion may find nothing to change.
  if (committed === null) throw new Error('a value was set without a commit')
  const { epoch, last: serial, tag } = committed
  const position = formatPosition({ epoch, serial, tag })
  const answer = json({ key: call.id('key'), version, position, durability })
  return { ...answer, headers: { ...answer.headers, etag: etagOf(version) } }
}
