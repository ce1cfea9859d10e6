/** `heldline/client`: what a page, a worker or a process uses to attach to sessions. */
export { createClient, type ClientOptions } from './create-client.ts'
export type { Client, ClientEvents } from './client.ts'
export type { PromptOptions, Session, SendOptions } from './session.ts'
export type {
  Cursor,
  SessionEvents,
  SessionOptions,
  SessionSnapshot,
  SessionState,
  Signal,
} from './session-types.ts'
export type { LinkState } from './link-state.ts'
export type { ClientMessage } from './pending.ts'
export type { NewEvent, OutboxEntry, OutboxState } from './outbox-entry.ts'
export type { Ack } from './ack.ts'
export type { EventStream } from './event-stream.ts'
export type { Reset } from './reader.ts'
export type { Clock, Timer } from '../sdk/clock.ts'
export type { Storages, StorageArea } from './storage.ts'
export type { WebSocketConstructor, WebSocketLike } from './transport/websocket.ts'
export type { TransportKind } from './transport/transport.ts'
export type { CancelAnswer, CancelTarget, InputAnswer, NewInput, StateCondition } from './verbs.ts'
export { ClientError, type LocalCode } from './client-error.ts'

// What sessions give, as the protocol has it: who builds a library upon them names it.
export type { Member, WireEvent } from '../protocol/event.ts'
export type { Part, Role } from '../protocol/messages.ts'
export type { Run } from '../protocol/fold/fold-run.ts'
export type { Input, Question } from '../protocol/fold/fold-input.ts'
export type { OpenDelivery, OpenEffect, StateEntry } from '../protocol/fold/fold-record.ts'
export type { Controller } from '../protocol/record-events.ts'
export type { PresenceRequest } from '../protocol/frames-up.ts'
export type { View } from '../protocol/fold/view.ts'
export type { Secret } from './credentials.ts'
