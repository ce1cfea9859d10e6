import type { Member, WireEvent } from '../event.ts'
import type { Position } from '../position.ts'
import type { Controller } from '../record-events.ts'
import { foldInput, foldQuestion, type Input, type Question } from './fold-input.ts'
import { foldMember } from './fold-member.ts'
import { foldMessage } from './fold-message.ts'
import {
  foldControl,
  foldDelivery,
  foldEffect,
  foldState,
  type OpenDelivery,
  type OpenEffect,
  type StateEntry,
} from './fold-record.ts'
import { foldRun, type Run } from './fold-run.ts'
import { foldSession } from './fold-session.ts'
import { makesSense } from './makes-sense.ts'
import type { Message } from './message.ts'

type Fold = (view: View, event: WireEvent) => void

/** What an event of each noun changes, once it is known to make sense; of any other, nothing. */
const FOLDS: Readonly<Record<string, Fold>> = {
  message: foldMessage,
  member: foldMember,
  session: foldSession,
  run: foldRun,
  input: foldInput,
  question: foldQuestion,
  state: foldState,
  effect: foldEffect,
  control: foldControl,
  delivery: foldDelivery,
}

/**
 * The fold of a log: what people see, at one position. One implementation, run by the server and by every client;
 * a function of the events alone, total (an event that makes no sense changes nothing), and the same at any compaction. [P-3.1]
 */
export class View {
  /** By id, in the order in which they were started. */
  readonly messages = new Map<string, Message>()
  readonly members = new Map<string, Member>()
  /** In the order in which they were started: those that live, and the latest that are over. */
  readonly runs = new Map<string, Run>()
  /** Those that wait for an agent. */
  readonly inputs = new Map<string, Input>()
  /** The open ones, and the latest that are answered. */
  readonly questions = new Map<string, Question>()
  readonly state = new Map<string, StateEntry>()
  /** Those that are not known to be done. */
  readonly effects = new Map<string, OpenEffect>()
  /** Those that nobody has taken yet. */
  readonly deliveries = new Map<string, OpenDelivery>()
  /** Who speaks in the agents' place; `null`: they do themselves. */
  controller: Controller | null = null
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
    if (makesSense(noun, event)) FOLDS[noun]?.(this, event)
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
  rest(): Required<ViewRest> {
    return {
      tip: this.tip,
      members: listed(this.members),
      metadata: this.metadata,
      createdAt: this.createdAt,
      closedAt: this.closedAt,
      runs: listed(this.runs),
      inputs: listed(this.inputs),
      questions: listed(this.questions),
      state: listed(this.state),
      effects: listed(this.effects),
      deliveries: listed(this.deliveries),
      controller: this.controller,
    }
  }

  /**
   * Puts a snapshot's content in the place of this view's. With `since`, the messages are only those that changed after it,
   * and the others stay.
   */
  restore(position: Position, messages: Iterable<Message>, rest: ViewRest, since?: number): void {
    if (since === undefined) this.messages.clear()
    for (const message of messages) this.messages.set(message.id, message)
    refill(this.members, rest.members, 'member')
    refill(this.runs, rest.runs, 'id')
    refill(this.inputs, rest.inputs, 'id')
    refill(this.questions, rest.questions, 'id')
    refill(this.state, rest.state, 'key')
    refill(this.effects, rest.effects, 'id')
    refill(this.deliveries, rest.deliveries, 'id')
    this.controller = rest.controller ?? null
    this.metadata = rest.metadata
    this.createdAt = rest.createdAt
    this.closedAt = rest.closedAt
    this.tip = rest.tip
    this.position = position
  }
}

function listed<T>(map: ReadonlyMap<string, T>): readonly T[] {
  return [...map.values()]
}

function refill<K extends string, T extends Readonly<Record<K, string>>>(
  map: Map<string, T>,
  values: readonly T[] = [],
  name: K,
): void {
  map.clear()
  for (const value of values) map.set(value[name], value)
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
  /** These are missing in what was stored before they were known. */
  readonly runs?: readonly Run[]
  readonly inputs?: readonly Input[]
  readonly questions?: readonly Question[]
  readonly state?: readonly StateEntry[]
  readonly effects?: readonly OpenEffect[]
  readonly deliveries?: readonly OpenDelivery[]
  readonly controller?: Controller | null
}
