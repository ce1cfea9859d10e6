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
