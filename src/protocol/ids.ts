/**
 * Branded identifiers. Each is created only by its parser, so that a string which reached
 * a store key, a frame or a log line has passed the pattern once.
 */

declare const brand: unique symbol
type Brand<Name extends string> = string & { readonly [brand]: Name }

/** Names a session: chosen by the caller or minted by the server. [P-1.1] */
export type SessionId = Brand<'SessionId'>
/** Names an event within its session; the caller's own, or minted. */
export type EventId = Brand<'EventId'>
/** Names a message within its session. */
export type MessageId = Brand<'MessageId'>
/** Names a member (a person's tab, an agent's process) within a session. */
export type MemberId = Brand<'MemberId'>
/** Names a producer within a session. */
export type ProducerId = Brand<'ProducerId'>
/** The identity of one incarnation of a log: random, 10 characters. */
export type Epoch = Brand<'Epoch'>
/** 48 random bits that name the content at a serial: 8 base64url characters. */
export type Tag = Brand<'Tag'>

/** The one pattern for every id that a caller may choose. Linear, ASCII only. [P-1.1] */
export const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.:~-]{0,127}$/
export const EPOCH_PATTERN = /^[A-Za-z0-9_-]{10}$/
export const TAG_PATTERN = /^[A-Za-z0-9_-]{8}$/

/** The tag "before the first event": what serial 0 carries in every log. */
export const GENESIS_TAG = '--------' as Tag

const parser =
  <T extends string>(pattern: RegExp) =>
  (text: unknown): T | null =>
    // The cast is the brand's only birth place.
    typeof text === 'string' && pattern.test(text) ? (text as T) : null

/** Each returns the branded id, or `null` when the text does not have the form. */
export const parseSessionId = /* @__PURE__ */ parser<SessionId>(ID_PATTERN)
export const parseEventId = /* @__PURE__ */ parser<EventId>(ID_PATTERN)
export const parseMessageId = /* @__PURE__ */ parser<MessageId>(ID_PATTERN)
export const parseMemberId = /* @__PURE__ */ parser<MemberId>(ID_PATTERN)
export const parseProducerId = /* @__PURE__ */ parser<ProducerId>(ID_PATTERN)
export const parseEpoch = /* @__PURE__ */ parser<Epoch>(EPOCH_PATTERN)
export const parseTag = /* @__PURE__ */ parser<Tag>(TAG_PATTERN)
