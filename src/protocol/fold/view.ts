import type { Member, WireEvent } from '../event.ts'
import type { Position } from '../position.ts'
import { foldMember } from './fold-member.ts'
import { foldMessage } from './fold-message.ts'
import { foldSession } from './fold-session.ts'
import type { Message } from './message.ts'

/**
 * The fold of a log: what people see, at one position. One implementation, run by the server and by every client;
 * a function of the events alone, total (an event that makes no sense changes nothing), and the same at any compaction. [P-3.1]
 */
export class View {
  /** By id, in the order in which they were started. */
  readonly messages = new Map<string, Message>()
  readonly members = new Map<string, Member>()
  metadata: Readonly<Record<string, unknown>> = {}
  createdAt: number | null = null
  closedAt: number | null = null
  /** The message that was started last: the parent of one that names none. */
  tip: string | null = null
  position: Position

  constructor(position: Position) {
    this.position = position
  }

  /**
   * Takes the event that follows the position.
   * @returns whether it followed; where not, nothing has changed and the caller must catch up
   */
  apply(event: WireEvent): boolean {
    if (!this.pass(event)) return false
    const noun = event.type.slice(0, event.type.indexOf('.'))
    if (noun === 'message') foldMessage(this, event)
    else if (noun === 'member') foldMember(this, event)
    else if (noun === 'session') foldSession(this, event)
    return true
  }

  /** Takes an event that is known to change nothing, but for the position. @returns whether it followed */
  pass(event: Pick<WireEvent, 'serial' | 'tag' | 'prev'>): boolean {
    if (!follows(this.position, event)) return false
    this.position = {
      epoch: this.position.epoch,
      serial: event.serial,
      tag: event.tag as Position['tag'],
    }
    return true
  }

  /** Everything but the messages: small, and sent whole. */
  rest(): ViewRest {
    return {
      tip: this.tip,
      members: [...this.members.values()],
      metadata: this.metadata,
      createdAt: this.createdAt,
      closedAt: this.closedAt,
    }
  }

  /**
   * Puts a snapshot's content in the place of this view's. With `since`, the messages are only those that changed after it,
   * and the others stay.
   */
  restore(position: Position, messages: Iterable<Message>, rest: ViewRest, since?: number): void {
    if (since === undefined) this.messages.clear()
    for (const message of messages) this.messages.set(message.id, message)
    this.members.clear()
    for (const member of rest.members) this.members.set(member.member, member)
    this.metadata = rest.metadata
    this.createdAt = rest.createdAt
    this.closedAt = rest.closedAt
    this.tip = rest.tip
    this.position = position
  }
}

/** The rule of the line: the next serial, and the link to the very event that came before. [P-4.3] */
export function follows(
  position: Position,
  event: { readonly serial: number; readonly prev: string },
): boolean {
  return event.serial === position.serial + 1 && event.prev === position.tag
}

export interface ViewRest {
  readonly tip: string | null
  readonly members: readonly Member[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly createdAt: number | null
  readonly closedAt: number | null
}
