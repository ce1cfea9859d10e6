/** `heldline/protocol`: what travels, and the fold of it, for whoever writes a client, an agent or an adapter. */
export { AUTH_PROTOCOL_PREFIX, PROTOCOL } from './version.ts'
export {
  GENESIS_TAG,
  ID_PATTERN,
  parseEpoch,
  parseEventId,
  parseMemberId,
  parseMessageId,
  parseProducerId,
  parseSessionId,
  parseTag,
  type Epoch,
  type EventId,
  type MemberId,
  type MessageId,
  type ProducerId,
  type SessionId,
  type Tag,
} from './ids.ts'
export {
  formatPosition,
  genesis,
  parsePosition,
  parseSerial,
  samePosition,
  type Position,
} from './position.ts'
export { CAPABILITIES, MEMBER_KINDS, type Capability, type MemberKind } from './capabilities.ts'
export { ERRORS, HeldlineError, type ErrorCode, type ErrorOptions } from './errors.ts'
export { closeReaction, type CloseReaction } from './close-codes.ts'
export { EVENT_DATA, type By, type Member, type WireEvent } from './event.ts'
export type {
  MessageCompleted,
  MessageDelta,
  MessageDeleted,
  MessageReplaced,
  MessageStarted,
  Part,
  Role,
} from './messages.ts'
export { UP_FRAMES, type Op, type UpFrame } from './frames-up.ts'
export {
  DOWN_FRAMES,
  type DownFrame,
  type DownFrameOf,
  type DownType,
  type ResetReason,
} from './frames-down.ts'
export {
  activePath,
  BRANCH_KEY,
  pathTo,
  sharedBranch,
  siblingsOf,
  type Placed,
} from './branches.ts'
export { follows, View, type ViewRest } from './fold/view.ts'
export type { Message, MessageStatus } from './fold/message.ts'
export type { Run } from './fold/fold-run.ts'
export type { Input, Question } from './fold/fold-input.ts'
export type { OpenDelivery, OpenEffect, StateEntry } from './fold/fold-record.ts'
export type { Controller } from './record-events.ts'
export type { LiveStatus, RunStatus } from './run-events.ts'
export type { InputMode } from './input-events.ts'
