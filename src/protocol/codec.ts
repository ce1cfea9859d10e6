/**
 * An event's text, in two pieces that are only joined, never parsed and written again: the head, which the store
 * assigns, and the body, which the node encodes once around the caller's own bytes. [P-2.1]
 *
 *     {"serial":7,"tag":"k3JxQ2aB","prev":"Zr81mWq0","at":1790000000000,"type":"message.delta","id":…,"by":{…},"data":…}
 */
import type { By } from './event.ts'
import type { Tag } from './ids.ts'

export interface EventHead {
  readonly serial: number
  readonly tag: Tag
  readonly prev: Tag
  readonly at: number
}

/** `"type":…,"id":…,"by":…,"data":…}`; `rawData` is JSON text and goes in as it is. */
export function encodeBody(type: string, id: string, by: By, rawData: string): string {
  return bodiesBy(by)(type, id, rawData)
}

/** The same for the events of one author, who, like a type that comes again, is encoded once. */
export function bodiesBy(by: By): (type: string, id: string, rawData: string) => string {
  const byText = `,"by":${JSON.stringify(by)},"data":`
  let lastType: string | null = null
  let typeText = ''
  return (type, id, rawData) => {
    if (type !== lastType) typeText = `"type":${JSON.stringify(type)},"id":`
    lastType = type
    return `${typeText}${JSON.stringify(id)}${byText}${rawData}}`
  }
}

/** The whole event as it is stored and as it travels. */
export function encodeEvent(head: EventHead, body: string): string {
  return `{"serial":${head.serial},"tag":"${head.tag}","prev":"${head.prev}","at":${head.at},${body}`
}

/** Whether a body is that of a message's end. */
export function isMessageEnd(body: string): boolean {
  return body.startsWith('"type":"message.completed",')
}

/** Whether an encoded event is of an application's own type. */
export function isApplicationEvent(text: string): boolean {
  return isOfNoun(text, 'x')
}

/** Whether the type of an encoded event begins with the noun, found without reading further than its type. */
export function isOfNoun(text: string, noun: string): boolean {
  // The head holds no other text than tags, so the first such key is the event's own.
  const type = text.indexOf('"type":"')
  return type > 0 && type < MAX_HEAD_LENGTH && text.startsWith(`${noun}.`, type + 8)
}

const MAX_HEAD_LENGTH = 128

const HEAD =
  /^\{"serial":(\d{1,16}),"tag":"([A-Za-z0-9_-]{8})","prev":"([A-Za-z0-9_-]{8})","at":(\d{1,16}),/

/** The head of an encoded event, or `null` when the text does not begin as one. Reads no further than the head. */
export function decodeHead(text: string): EventHead | null {
  const match = HEAD.exec(text)
  if (match === null) return null
  const [, serial, tag, prev, at] = match
  // The pattern holds the forms of Tag, so these casts are its parser.
  return { serial: Number(serial), tag: tag as Tag, prev: prev as Tag, at: Number(at) }
}
