import type { Capability } from '../protocol/capabilities.ts'

/** What a request must show: nothing, any good credentials, or credentials with the capability (with one of several). */
export type Need = 'nothing' | 'credentials' | Capability | readonly [Capability, ...Capability[]]

/** THE table of rights, by method, path and, where a path has two meanings, media type. A route that is not here does not exist. [P-6.2] */
export const RIGHTS: Readonly<Record<string, Need>> = {
  'GET /livez': 'nothing',
  'GET /readyz': 'nothing',
  'GET /openapi.json': 'nothing',
  'GET /docs': 'nothing',
  'GET /v1/connect': 'nothing',
  'POST /v1/tokens': 'tokens',
  'POST /v1/tickets': 'credentials',
  'GET /v1/sessions': 'list',
  'POST /v1/sessions': 'create',
  'PUT /v1/sessions/{session}': 'create',
  'GET /v1/sessions/{session}': ['subscribe', 'history', 'publish', 'manage'],
  'PATCH /v1/sessions/{session}': 'manage',
  'DELETE /v1/sessions/{session}': 'manage',
  'POST /v1/sessions/{session}/close': 'manage',
  // One of the two; which events they allow is decided by the events. See demandAppend.
  'POST /v1/sessions/{session}/events': ['publish', 'send'],
  'POST /v1/sessions/{session}/events application/x-ndjson': ['publish', 'send'],
  'GET /v1/sessions/{session}/events': 'history',
  'GET /v1/sessions/{session}/events text/event-stream': 'subscribe',
  'GET /v1/sessions/{session}/messages': 'history',
  'POST /v1/sessions/{session}/runs': 'publish',
  'GET /v1/sessions/{session}/runs': ['history', 'subscribe', 'publish'],
  'GET /v1/sessions/{session}/runs/{run}': ['history', 'subscribe', 'publish'],
  'POST /v1/sessions/{session}/runs/{run}/adopt': 'publish',
  // Whoever may speak to an agent may stop it.
  'POST /v1/sessions/{session}/runs/{run}/cancel': ['send', 'publish', 'manage'],
  'POST /v1/sessions/{session}/runs/{run}/events': 'publish',
  'POST /v1/sessions/{session}/runs/{run}/events application/x-ndjson': 'publish',
  'POST /v1/sessions/{session}/runs/{run}/heartbeat': 'publish',
  'POST /v1/sessions/{session}/runs/{run}/status': 'publish',
  'POST /v1/sessions/{session}/runs/{run}/suspend': 'publish',
  'POST /v1/sessions/{session}/runs/{run}/resume': 'publish',
  'POST /v1/sessions/{session}/runs/{run}/finish': 'publish',
  'POST /v1/sessions/{session}/inputs': 'send',
  'GET /v1/sessions/{session}/inputs': ['history', 'subscribe', 'publish'],
  'POST /v1/sessions/{session}/inputs/{input}/deliver': 'publish',
  // As with a run: it may be one that this stops.
  'POST /v1/sessions/{session}/inputs/{input}/cancel': ['send', 'publish', 'manage'],
  'POST /v1/sessions/{session}/questions': 'publish',
  'GET /v1/sessions/{session}/questions/{question}': ['history', 'subscribe', 'publish'],
  'POST /v1/sessions/{session}/questions/{question}/answer': 'send',
  'POST /v1/sessions/{session}/questions/{question}/withdraw': 'publish',
  'POST /v1/sessions/{session}/signals': 'signal',
  'POST /v1/sessions/{session}/read': 'subscribe',
  // An attachment shows the members too.
  'GET /v1/sessions/{session}/presence': ['presence', 'subscribe'],
  'PUT /v1/sessions/{session}/presence/{member}': 'presence',
  'DELETE /v1/sessions/{session}/presence/{member}': 'presence',
  'GET /v1/sessions/{session}/deliveries': ['history', 'manage'],
  'POST /v1/sessions/{session}/deliveries/{delivery}/replay': 'manage',
  // An attachment shows the state too.
  'GET /v1/sessions/{session}/state': ['subscribe', 'history', 'state'],
  'GET /v1/sessions/{session}/state/{key}': ['subscribe', 'history', 'state'],
  'PUT /v1/sessions/{session}/state/{key}': 'state',
  'PATCH /v1/sessions/{session}/state/{key} application/merge-patch+json': 'state',
  'PATCH /v1/sessions/{session}/state/{key} application/json-patch+json': 'state',
  'DELETE /v1/sessions/{session}/state/{key}': 'state',
}
