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

/** The data makes sense, so the casts here only name its shape. */
export function foldMessage(view: View, event: WireEvent): void {
  const { serial, at, by } = event
  const stamp: Stamp = { serial, at, by: by.subject, run: by.run }
  switch (event.type) {
    case 'message.started':
      start(view, event.data as MessageStarted, stamp)
      return
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

/** @returns the message when this very event starts it */
function start(
  view: View,
  data: MessageStarted | (MessageCompleted & { role: Role }),
  stamp: Stamp,
): Message | null {
  const existing = view.messages.get(data.message)
  // A stored snapshot may hold a message that is newer than the rest: its own start still moves the tip.
  if (existing?.first === stamp.serial) view.tip = data.message
  if (existing !== undefined) return null
  const parent = data.parent === undefined ? view.tip : data.parent
  const message = startMessage(data, parent, stamp)
  view.messages.set(data.message, message)
  view.tip = data.message
  return message
}

function complete(view: View, data: MessageCompleted, stamp: Stamp): void {
  const started = data.role === undefined ? null : start(view, { ...data, role: data.role }, stamp)
  if (started === null) change(view, data, stamp, completeMessage, true)
  else view.messages.set(started.id, completeMessage(started, data, stamp))
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
  // A stored snapshot may hold a message that is newer than the rest: its events, the last of them too, are in it already.
  if (message.serial >= stamp.serial) return
  if (onlyOpen && message.status !== 'open') return
  view.messages.set(message.id, apply(message, data, stamp))
}
