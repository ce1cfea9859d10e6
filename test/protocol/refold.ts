import { EVENT_DATA, type WireEvent } from '../../src/protocol/event.ts'
import { retake } from './refold-record.ts'

/**
 * The fold once more, as plainly as it can be said: one loop, plain objects that it changes, no sharing, no snapshots. What the real
 * one gives must be the same. [P-3.1]
 */
export interface Refold {
  messages: PlainMessage[]
  members: PlainData[]
  metadata: PlainData
  createdAt: number | null
  closedAt: number | null
  tip: string | null
  runs: PlainData[]
  inputs: PlainData[]
  questions: PlainData[]
  state: PlainData[]
  effects: PlainData[]
  deliveries: PlainData[]
  controller: PlainData | null
}

// oxlint-disable-next-line typescript/no-explicit-any -- an oracle that says what happens, not what things are
export type Loose = any
export type PlainData = Record<string, unknown>

interface PlainMessage {
  id: string
  role: string
  parent: string | null
  parts: Loose[]
  status: string
  metadata: PlainData
  by: string
  run?: string
  startedAt: number
  updatedAt: number
  first: number
  serial: number
}

export function refold(events: readonly WireEvent[]): Refold {
  const view: Refold = {
    messages: [],
    members: [],
    metadata: {},
    createdAt: null,
    closedAt: null,
    tip: null,
    runs: [],
    inputs: [],
    questions: [],
    state: [],
    effects: [],
    deliveries: [],
    controller: null,
  }
  for (const event of structuredClone(events)) {
    if (!makesSense(event)) continue
    take(view, event, event.data)
    retake(view, event, event.data)
  }
  return view
}

/** What its schema would have refused must not be in a log, and changes nothing where it is. */
function makesSense({ type, data }: WireEvent): boolean {
  return Object.hasOwn(EVENT_DATA, type)
    ? EVENT_DATA[type as keyof typeof EVENT_DATA].safeParse(data).success
    : false
}

function take(view: Refold, event: WireEvent, data: Loose): void {
  const message = view.messages.find(({ id }) => id === data?.message)
  if (event.type === 'session.created') {
    view.createdAt = event.at
    view.metadata = data.metadata ?? {}
  }
  if (event.type === 'session.updated') view.metadata = data.metadata
  if (event.type === 'session.closed') view.closedAt = event.at
  if (event.type === 'member.entered' || event.type === 'member.updated') {
    const index = view.members.findIndex(({ member }) => member === data.member)
    if (index < 0) view.members.push(data)
    else view.members[index] = data
  }
  if (event.type === 'member.left')
    view.members = view.members.filter(({ member }) => member !== data.member)
  if (event.type === 'message.started' && message === undefined) start(view, event, data)
  if (event.type === 'message.delta' && message?.status === 'open') {
    if ('add' in data) add(message, data.add)
    else addText(message, data)
    touch(message, event)
  }
  if (event.type === 'message.completed') {
    const open = message ?? (data.role === undefined ? undefined : start(view, event, data))
    if (open?.status === 'open') {
      open.status = data.status ?? 'completed'
      if (data.parts !== undefined) open.parts = data.parts
      Object.assign(open.metadata, data.metadata)
      touch(open, event)
    }
  }
  if (event.type === 'message.replaced' && message !== undefined && message.status !== 'deleted') {
    message.parts = data.parts
    if (data.metadata !== undefined) message.metadata = data.metadata
    touch(message, event)
  }
  if (event.type === 'message.deleted' && message !== undefined && message.status !== 'deleted') {
    message.status = 'deleted'
    message.parts = []
    message.metadata = data.reason === undefined ? {} : { reason: data.reason }
    touch(message, event)
  }
}

function start(view: Refold, event: WireEvent, data: Loose): PlainMessage {
  const message: PlainMessage = {
    id: data.message,
    role: data.role,
    parent: data.parent === undefined ? view.tip : data.parent,
    parts: data.parts ?? [],
    status: 'open',
    metadata: { ...data.metadata },
    by: event.by.subject,
    ...(event.by.run !== undefined && { run: event.by.run }),
    startedAt: event.at,
    updatedAt: event.at,
    first: event.serial,
    serial: event.serial,
  }
  view.messages.push(message)
  view.tip = message.id
  return message
}

function add(message: PlainMessage, part: Loose): void {
  const index = part.id === undefined ? -1 : message.parts.findIndex(({ id }) => id === part.id)
  if (index < 0) message.parts.push(part)
  else message.parts[index] = part
}

function addText(message: PlainMessage, data: Loose): void {
  const type = data.type ?? 'text'
  const last = message.parts.at(-1)
  const target =
    data.part === undefined
      ? last?.type === type && last.id === undefined
        ? last
        : undefined
      : message.parts.find(({ id }) => id === data.part)
  if (target === undefined) {
    message.parts.push({ type, text: data.text, ...(data.part !== undefined && { id: data.part }) })
  } else target.text = (target.text ?? '') + data.text
}

function touch(message: PlainMessage, event: WireEvent): void {
  message.updatedAt = event.at
  message.serial = event.serial
}
