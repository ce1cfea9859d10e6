/**
 * THE table of errors. Every refusal that leaves the server, over HTTP or a socket, is a row here:
 * its code is stable, its `next` tells the caller what to do. [P-8]
 */

interface ErrorRow {
  /** HTTP status of the problem response. */
  readonly status: number
  /** Close code, when the error ends a socket. */
  readonly close?: number
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean
  readonly title: string
  /** What the caller should do next. */
  readonly next: string
}

export const ERRORS = {
  invalid_json: {
    status: 400,
    retryable: false,
    title: 'The body or frame is not JSON',
    next: 'Send one well-formed JSON value.',
  },
  empty_body: {
    status: 400,
    retryable: false,
    title: 'The body is empty',
    next: 'Send a JSON body.',
  },
  invalid_utf8: {
    status: 400,
    retryable: false,
    title: 'The bytes are not well-formed UTF-8, or a string holds a lone surrogate',
    next: 'Encode text as UTF-8 and send whole code points.',
  },
  too_deep: {
    status: 400,
    retryable: false,
    title: 'The JSON is nested too deeply',
    next: 'Nest at most 32 levels.',
  },
  too_many_keys: {
    status: 400,
    retryable: false,
    title: 'An object of the JSON has too many keys',
    next: 'Send at most 1,000 keys an object.',
  },
  duplicate_key: {
    status: 400,
    retryable: false,
    title: 'A key stands twice in the envelope',
    next: 'Send each key once.',
  },
  forbidden_key: {
    status: 400,
    retryable: false,
    title: 'The envelope holds a key that is never allowed',
    next: 'Remove the key; inside `data` it is opaque and allowed.',
  },
  unknown_field: {
    status: 400,
    retryable: false,
    title: 'The envelope holds a field that is not known',
    next: 'Remove the field, or put it inside `data` or `metadata`.',
  },
  invalid_request: {
    status: 400,
    retryable: false,
    title: 'A field has the wrong type or value',
    next: 'Correct the field that `detail` names.',
  },
  duplicate_param: {
    status: 400,
    retryable: false,
    title: 'A query parameter stands twice',
    next: 'Send each parameter once.',
  },
  invalid_session_id: {
    status: 400,
    close: 4400,
    retryable: false,
    title: 'The session id does not have the form',
    next: 'Use 1 to 128 of A-Z a-z 0-9 _ . : ~ - with a letter or digit first.',
  },
  invalid_position: {
    status: 400,
    retryable: false,
    title: 'The position is neither a position nor a serial',
    next: 'Send a position that this server gave, unchanged, or a serial.',
  },
  invalid_limit: {
    status: 400,
    retryable: false,
    title: 'The limit is out of range',
    next: 'Ask for 1 to the documented maximum.',
  },
  invalid_idempotency_key: {
    status: 400,
    retryable: false,
    title: 'The Idempotency-Key does not have the form',
    next: 'Use 1 to 128 characters of the id pattern.',
  },
  invalid_producer: {
    status: 400,
    retryable: false,
    title: 'The producer headers are incomplete or malformed',
    next: 'Send Producer-Id, Producer-Epoch and Producer-Seq together; epoch and seq are whole numbers.',
  },
  reserved_type: {
    status: 400,
    retryable: false,
    title: 'Events of this type are written by the server alone',
    next: 'Append message.* or x.* events; use the endpoint that belongs to the noun.',
  },
  unknown_type: {
    status: 400,
    retryable: false,
    title: 'The event type is not known',
    next: 'Use a message.* type of the protocol, or a type of your own that begins with x.',
  },
  unknown_op: {
    status: 400,
    retryable: false,
    title: 'The op of the frame is not known',
    next: 'Send an op of this protocol version.',
  },
  invalid_ref: {
    status: 400,
    retryable: false,
    title: 'The ref of the frame is missing or malformed',
    next: 'Send a ref of 1 to 64 characters; it comes back with the answer.',
  },
  unauthenticated: {
    status: 401,
    close: 4401,
    retryable: false,
    title: 'The credentials are missing or wrong',
    next: 'Send an API key, as Authorization: Bearer <id>:<secret>, or a token.',
  },
  invalid_token: {
    status: 401,
    close: 4401,
    retryable: false,
    title: 'The token is not valid, or not any more',
    next: 'Get a new token once, then resume from the last position.',
  },
  forbidden: {
    status: 403,
    retryable: false,
    title: 'These credentials do not allow this',
    next: 'Use a token with the capability, for a pattern that holds this session.',
  },
  forbidden_origin: {
    status: 403,
    close: 4403,
    retryable: false,
    title: 'This origin may not connect',
    next: 'Add the origin to ALLOWED_ORIGINS.',
  },
  producer_fenced: {
    status: 403,
    retryable: false,
    title: 'A newer epoch of this producer has taken over',
    next: 'Stop: another process continues this work.',
  },
  run_fenced: {
    status: 403,
    retryable: false,
    title: 'Another process holds this run by now',
    next: 'Stop: another process continues this run.',
  },
  session_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such session for these credentials',
    next: 'Create it first with PUT /v1/sessions/{id}; where it is there, use credentials for it.',
  },
  message_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such message in the session',
    next: 'Start it first with message.started.',
  },
  run_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such run in the session',
    next: 'Start it with POST /v1/sessions/{id}/runs.',
  },
  input_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such input that waits',
    next: 'It was delivered, cancelled or expired; look into the log.',
  },
  question_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such question in the session',
    next: 'Ask it with POST /v1/sessions/{id}/questions.',
  },
  effect_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such effect in the session',
    next: 'Reserve it first.',
  },
  state_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such key in the state',
    next: 'Set it first.',
  },
  notice_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such notice in the session',
    next: 'List the notices of the session.',
  },
  delivery_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such delivery in the session',
    next: 'List the deliveries of the session.',
  },
  not_found: {
    status: 404,
    retryable: false,
    title: 'There is nothing at this path',
    next: 'See /docs for the paths.',
  },
  method_not_allowed: {
    status: 405,
    retryable: false,
    title: 'The path does not take this method',
    next: 'Use a method that the Allow header names.',
  },
  request_timeout: {
    status: 408,
    close: 4408,
    retryable: true,
    title: 'The request, or the first frame, did not arrive in time',
    next: 'Send it again, faster.',
  },
  session_closed: {
    status: 409,
    retryable: false,
    title: 'The session is closed',
    next: 'Read it, or go on in a new session.',
  },
  session_exists: {
    status: 409,
    retryable: false,
    title: 'The session exists with other settings',
    next: 'Use PATCH to change it.',
  },
  message_exists: {
    status: 409,
    retryable: false,
    title: 'The message has been started already',
    next: 'Use another message id, or append deltas to it.',
  },
  message_closed: {
    status: 409,
    retryable: false,
    title: 'The message is completed or deleted',
    next: 'Start a new message, or replace this one.',
  },
  run_exists: {
    status: 409,
    retryable: false,
    title: 'The run exists already',
    next: 'Start another, or adopt this one.',
  },
  run_over: {
    status: 409,
    retryable: false,
    title: 'The run is over',
    next: 'Start a new run; the reason is named in `detail`.',
  },
  input_taken: {
    status: 409,
    retryable: false,
    title: 'The input was delivered to another run',
    next: 'Take another input.',
  },
  question_closed: {
    status: 409,
    retryable: false,
    title: 'The question is answered, withdrawn or expired',
    next: 'Read the answer in the log; ask again if it is still open for you.',
  },
  effect_conflict: {
    status: 409,
    retryable: false,
    title: 'The effect is not in a state that allows this',
    next: 'Read the effect, then decide.',
  },
  not_controller: {
    status: 409,
    retryable: false,
    title: 'Somebody else speaks in this session now',
    next: 'Wait until control is released, or take it.',
  },
  control_taken: {
    status: 409,
    retryable: false,
    title: 'Somebody else has taken control already',
    next: 'Ask them to release it, or take it over with `force`.',
  },
  delivery_closed: {
    status: 409,
    retryable: false,
    title: 'The delivery is not in a state that allows this',
    next: 'Read the delivery, then decide.',
  },
  notice_closed: {
    status: 409,
    retryable: false,
    title: 'The notice has not failed',
    next: 'Read the notices, then decide.',
  },
  producer_gap: {
    status: 409,
    retryable: false,
    title: 'The producer seq is ahead of what was accepted',
    next: 'Send the events from the expected seq on.',
  },
  not_attached: {
    status: 409,
    retryable: false,
    title: 'The socket is not attached to this session',
    next: 'Attach first.',
  },
  position_unrecoverable: {
    status: 410,
    retryable: false,
    title: 'What follows this position cannot be given',
    next: 'Read the view, then follow from its position.',
  },
  version_conflict: {
    status: 412,
    retryable: false,
    title: 'The value has another version by now',
    next: 'Read it again, then decide anew.',
  },
  payload_too_large: {
    status: 413,
    close: 4413,
    retryable: false,
    title: 'The event, body or frame is too large',
    next: 'Send less at once; the limit is named in `detail`.',
  },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    title: 'The content type or encoding is not taken here',
    next: 'Send application/json or application/x-ndjson, uncompressed.',
  },
  headers_too_large: {
    status: 431,
    retryable: false,
    title: 'The headers are too large or too many',
    next: 'Send at most 100 headers, 8 KiB together.',
  },
  upgrade_required: {
    status: 426,
    retryable: false,
    title: 'This path is for WebSockets',
    next: 'Connect with Upgrade: websocket and the subprotocol heldline.v1.',
  },
  idempotency_conflict: {
    status: 422,
    retryable: false,
    title: 'This id or key was used before with other content',
    next: 'Use a new id for new content.',
  },
  patch_failed: {
    status: 422,
    retryable: false,
    title: 'The patch does not fit the value',
    next: 'Read the value again and make the patch anew.',
  },
  answer_invalid: {
    status: 422,
    retryable: false,
    title: 'The answer does not fit the schema of the question',
    next: 'Send an answer of the form that the question asks for.',
  },
  rate_limited: {
    status: 429,
    close: 4429,
    retryable: true,
    title: 'Too many requests, frames or mistakes',
    next: 'Wait for the time that is given, then go on.',
  },
  subscription_limit: {
    status: 429,
    retryable: false,
    title: 'The socket is attached to as many sessions as it may be',
    next: 'Detach from one first.',
  },
  presence_limit: {
    status: 429,
    retryable: false,
    title: 'The session has as many members as it may have',
    next: 'Attach without presence.',
  },
  session_limit: {
    status: 429,
    retryable: false,
    title: 'The session holds as many things of this kind as it may',
    next: 'End or delete some first; the limit is named in `detail`.',
  },
  connection_limit: {
    status: 503,
    close: 4509,
    retryable: true,
    title: 'This node, or this address, has as many connections as it may have',
    next: 'Connect again after the time that is given.',
  },
  slow_consumer: {
    status: 503,
    close: 4508,
    retryable: true,
    title: 'The reader did not keep up',
    next: 'Connect again and resume from the last position; nothing is lost.',
  },
  draining: {
    status: 503,
    close: 1012,
    retryable: true,
    title: 'This node is going down',
    next: 'Connect again after the time that is given; another node answers.',
  },
  contention: {
    status: 503,
    retryable: true,
    title: 'Others changed the same thing again and again',
    next: 'Send it again with the same id.',
  },
  store_unavailable: {
    status: 503,
    retryable: true,
    title: 'The store cannot be reached',
    next: 'Send it again with the same id after the time that is given.',
  },
  outcome_unknown: {
    status: 503,
    retryable: true,
    title: 'It is not known whether this was stored',
    next: 'Send it again with the same id: it is stored once.',
  },
  durability_timeout: {
    status: 503,
    retryable: true,
    title: 'Stored, but not yet as durable as configured',
    next: 'Send it again with the same id: it is stored once.',
  },
  event_corrupt: {
    status: 500,
    retryable: false,
    title: 'What is stored of it is damaged',
    next: 'Do not send it again. Read the messages, which may go past the damage, or the events behind `serial` where one is named; tell the operator.',
  },
  storage_full: {
    status: 507,
    retryable: true,
    title: 'The store is full',
    next: 'Send it again with the same id after the time that is given.',
  },
  internal: {
    status: 500,
    close: 1011,
    retryable: true,
    title: 'The server made a mistake',
    next: 'Send it again with the same id; tell the operator the request id.',
  },
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

/** The row of a code, widened to the table's common shape. */
export function errorRow(code: ErrorCode): ErrorRow {
  return ERRORS[code]
}

export interface ErrorOptions {
  readonly cause?: unknown
  /** Facts for the caller (a limit, an expected seq): JSON values, never payloads or secrets. */
  readonly facts?: Readonly<Record<string, unknown>>
  readonly retryAfterMs?: number
}

/** An expected failure: a row of the table, a sentence about this case, and facts. */
export class HeldlineError extends Error {
  readonly code: ErrorCode
  readonly facts: Readonly<Record<string, unknown>>
  readonly retryAfterMs: number | undefined

  /** @param detail one sentence of the form "unable to append; session is closed" */
  constructor(code: ErrorCode, detail: string, options: ErrorOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HeldlineError'
    this.code = code
    this.facts = options.facts ?? {}
    this.retryAfterMs = options.retryAfterMs
  }

  get retryable(): boolean {
    return errorRow(this.code).retryable
  }
}
