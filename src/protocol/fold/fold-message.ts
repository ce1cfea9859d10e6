import type { WireEvent } from '../event.ts'
import type {
  MessageCompleted,
  MessageDelta,
  MessageDeleted,
  MessageReplaced,
  MessageStarted,
  Role,
} from '../messages.ts'
import {
  completeMessage,
  deleteMessage,
  extendMessage,
  replaceMessage,
  startMessage,
  type Message,
  type Stamp,
} from './message.ts'
import type { View } from './view.ts'

/** The data was parsed when it was appended, so the casts here only name what the log holds. */
export function foldMessage(view: View, event: WireEvent): void {
  const stamp: Stamp = { serial: event.serial, at: event.at, by: event.by.subject }
  switch (event.type) {
    case 'message.started':
      return start(view, event.data as MessageStarted, stamp)
    case 'message.delta':
      return change(view, event.data as MessageDelta, stamp, extendMessage, true)
    case 'message.completed':
      return complete(view, event.data as MessageCompleted, stamp)
    case 'message.replaced':
      return change(view, event.data as MessageReplaced, stamp, replaceMessage, false)
    case 'message.deleted':
      return change(view, event.data as MessageDeleted, stamp, deleteMessage, false)
  }
}

function start(
  view: View,
  data: MessageStarted | (MessageCompleted & { role: Role }),
  stamp: Stamp,
): void {
  const existing = view.messages.get(data.message)
  // A stored snapshot may hold a message that is newer than the rest: its own start still moves the tip.
  if (existing?.first === stamp.serial) view.tip = data.message
  if (existing !== undefined) return
  const parent = data.parent === undefined ? view.tip : data.parent
  view.messages.set(data.message, startMessage(data, parent, stamp))
  view.tip = data.message
}

function complete(view: View, data: MessageCompleted, stamp: Stamp): void {
  if (data.role !== undefined) start(view, { ...data, role: data.role }, stamp)
  change(view, data, stamp, completeMessage, true)
}

function change<Data extends { readonly message: string }>(
  view: View,
  data: Data,
  stamp: Stamp,
  apply: (message: Message, data: Data, stamp: Stamp) => Message,
  onlyOpen: boolean,
): void {
  const message = view.messages.get(data.message)
  if (message === undefined || message.status === 'deleted') return
  // A stored snapshot may hold a message that is newer than the rest: its events are in it already.
  if (message.serial > stamp.serial) return
  if (onlyOpen && message.status !== 'open') return
  view.messages.set(message.id, apply(message, data, stamp))
}
