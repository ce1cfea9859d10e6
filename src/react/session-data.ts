import type { ClientError } from '../client/client-error.ts'
import type { LinkState } from '../client/link-state.ts'
import type { ClientMessage } from '../client/pending.ts'
import type { SessionSnapshot, SessionState } from '../client/session-types.ts'
import { activePath, sharedBranch, siblingsOf } from '../protocol/branches.ts'
import type { Member } from '../protocol/event.ts'
import type { Input, Question } from '../protocol/fold/fold-input.ts'
import { isOver, type Run } from '../protocol/fold/fold-run.ts'
import type { Controller } from '../protocol/record-events.ts'
import type { SessionActions } from './actions.ts'
import { agentHealth, IDLE, type AgentHealth } from './agent-health.ts'
import { keepFields } from './keep.ts'
import type { Branch, BranchVerbs } from './branch.ts'

/** What a component sees of a session. Each field is the same object until something of it changes. */
export interface SessionData {
  /** The path that is looked at, from the top to the bottom, with what is on its way at the end. */
  readonly messages: readonly ClientMessage[]
  readonly branch: Branch
  /** Those that live, and those that ended last, in the order in which they were started. */
  readonly runs: readonly Run[]
  /** Those that live. */
  readonly activeRuns: readonly Run[]
  readonly agent: AgentHealth
  /** Who is there. */
  readonly presence: readonly Member[]
  /** What was sent to agents and waits for one. */
  readonly inputs: readonly Input[]
  /** What agents ask: the open ones, and those that were closed last. */
  readonly questions: readonly Question[]
  /** Who speaks in the agents' place; `null`: they do themselves. */
  readonly controller: Controller | null
  /** What the session shares, by key. */
  readonly state: Readonly<Record<string, unknown>>
  readonly metadata: Readonly<Record<string, unknown>>
  /** Milliseconds since 1970; `null`: open, or not known yet. */
  readonly closedAt: number | null
  /** Of the attachment: `live` as soon as there is a view. */
  readonly status: SessionState
  /** Why it has `failed`; else `null`. */
  readonly error: ClientError | null
  /** Of the connection, which all sessions share. */
  readonly connection: LinkState
}

/** What `useSession` gives: what is there, and what can be done. The verbs are the same functions for as long as the session is. */
export type SessionHandle = SessionData & SessionActions

export interface Sources {
  readonly snapshot: SessionSnapshot
  readonly connection: LinkState
  readonly error: ClientError | null
  /** What was selected here; `null`: nothing. */
  readonly selected: string | null
}

const NOTHING: Omit<SessionData, 'branch'> = {
  messages: [],
  runs: [],
  activeRuns: [],
  agent: IDLE,
  presence: [],
  inputs: [],
  questions: [],
  controller: null,
  state: {},
  metadata: {},
  closedAt: null,
  status: 'idle',
  error: null,
  connection: 'idle',
}

/** What is shown: each time the fields that did not change are the objects of before; where none did, so is the whole. */
export class Shown {
  data: SessionData
  readonly #verbs: BranchVerbs
  /** Of all messages: which is whose child. */
  #tree = ''
  #siblings: Branch['siblings'] = () => []

  constructor(verbs: BranchVerbs) {
    this.#verbs = verbs
    this.data = { ...NOTHING, branch: this.#branch(null, []) }
  }

  /** @returns whether something changed */
  take({ snapshot, selected, ...more }: Sources): boolean {
    const before = this.data
    const kept = keepFields(before, { ...this.#of(snapshot, selected), ...more })
    if (kept === before) return false
    this.data = kept
    return true
  }

  #of(snapshot: SessionSnapshot, own: string | null): Omit<SessionData, 'connection' | 'error'> {
    const { messages, members, runs, inputs, questions, controller, metadata, closedAt } = snapshot
    const selected = own ?? sharedBranch(snapshot.sharedState)
    const values = [...snapshot.sharedState].map(([key, { value }]) => [key, value] as const)
    return {
      messages: activePath(messages, selected),
      branch: this.#branch(selected, messages),
      runs,
      activeRuns: runs.filter(({ status }) => !isOver(status)),
      agent: agentHealth(runs, this.data.agent),
      presence: members,
      inputs,
      questions,
      controller,
      state: Object.fromEntries(values),
      metadata,
      closedAt,
      status: snapshot.state,
    }
  }

  #branch(selected: string | null, all: readonly ClientMessage[]): Branch {
    const tree = all.map(({ id, parent }) => `${id} ${parent}`).join()
    if (tree !== this.#tree) this.#siblings = (id) => siblingsOf(all, id).map((one) => one.id)
    this.#tree = tree
    return { ...this.#verbs, selected, siblings: this.#siblings }
  }
}
