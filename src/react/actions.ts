import type { Ack } from '../client/ack.ts'
import type { ClientMessage } from '../client/pending.ts'
import type { PromptOptions, Session } from '../client/session.ts'
import type { CancelTarget, InputAnswer, NewInput, StateCondition } from '../client/verbs.ts'
import { BRANCH_KEY } from '../protocol/branches.ts'
import type { Part, Role } from '../protocol/messages.ts'
import { mintId } from '../sdk/mint-id.ts'
import type { BranchVerbs } from './branch.ts'
import type { SessionData } from './session-data.ts'

type Content = string | readonly Part[]

/** What a person does. All of them throw ClientError by the promise: the refusal, or that the outcome is unknown. */
export interface SessionActions {
  /** Says something to the agents, at the end of the path that is looked at: for the next run. In `messages` at once; kept over a reload. */
  readonly send: (content: Content, options?: PromptOptions) => Promise<Ack>
  /** The same, for the run that lives, at its next step; where none lives, for the next. */
  readonly steer: (content: Content, options?: Omit<PromptOptions, 'mode'>) => Promise<Ack>
  /** Stops the run that lives (of several, all), and says why to the next. One that comes too late stops nothing else: `too_late`. */
  readonly interrupt: (
    content?: Content,
    options?: Omit<NewInput, 'mode' | 'parts'>,
  ) => Promise<InputAnswer>
  /** Ends a run, or an input and its run; without a target, the runs that live now. @returns whether something was ended by it */
  readonly cancel: (target?: CancelTarget) => Promise<boolean>
  /** Answers a question, once, from any device: `question_closed`, `answer_invalid`. */
  readonly answer: (question: string, answer: unknown) => Promise<void>
  /**
   * Asks for another answer beside one that is there (default: the last on the path), or for one to a message of a person. The path goes to it as
   * soon as it comes.
   * @throws TypeError by the promise: no such message
   */
  readonly regenerate: (message?: string) => Promise<InputAnswer>
  /** Says something else in the place of what a person said, beside it, and looks at that. @throws TypeError by the promise: a person said no such message */
  readonly edit: (message: string, content: Content) => Promise<Ack>
  /** Sets a key of the shared state. @returns its new version. `version_conflict` */
  readonly setState: (key: string, value: unknown, condition?: StateCondition) => Promise<number>
  /** The client's session, for all that is not here: `events()`, `signal()`, `read()`, `takeControl()` … */
  readonly session: () => Session
}

export interface ActionPorts {
  readonly session: () => Session
  readonly data: () => SessionData
  readonly select: (id: string | null) => void
}

export function actionsOf({ session, data, select }: ActionPorts): SessionActions {
  /** Where the path ends; nothing where all look at the latest, which the server knows best. */
  const end = (): { parent?: string } => {
    const { branch, messages } = data()
    const last = messages.findLast(({ failed }) => failed === undefined)
    return branch.selected === null || last === undefined ? {} : { parent: last.id }
  }
  const find = (id: string | null | undefined, role?: Role): ClientMessage => {
    const found = session().messages.find((message) => message.id === id)
    if (found === undefined || (role ?? found.role) !== found.role)
      throw new TypeError(`no such message: ${id}`)
    return found
  }

  const send: SessionActions['send'] = (content, options) =>
    session().prompt(content, { ...end(), ...options })

  return {
    session,
    send,
    steer: (content, options) => send(content, { ...options, mode: 'steer' }),
    interrupt: (content, options) =>
      session().interrupt(content, { ...(content !== undefined && end()), ...options }),
    async cancel(target) {
      const targets = target ? [target] : data().activeRuns.map(({ id }) => ({ run: id }))
      const answers = await Promise.all(targets.map((one) => session().cancel(one)))
      return answers.some(({ cancelled }) => cancelled)
    },
    answer: (question, answer) => session().answer(question, answer),
    async regenerate(id = data().messages.at(-1)?.id) {
      let one = find(id)
      while (one.role !== 'user' && one.parent !== null) one = find(one.parent)
      const parent = one.role === 'user' ? one.id : null
      select(parent)
      return session().input({ mode: 'queue', parent })
    },
    async edit(id, content) {
      const { parent } = find(id, 'user')
      const edited = mintId(Date.now())
      const said = send(content, { id: edited, parent })
      select(edited)
      return said
    },
    setState: (key, value, condition) => session().setState(key, value, condition),
  }
}

export function branchVerbs({ session, data, select }: ActionPorts): BranchVerbs {
  return {
    select,
    async share() {
      const { branch, messages } = data()
      const id = branch.selected ?? messages.at(-1)?.id
      if (id !== undefined) await session().setState(BRANCH_KEY, id)
    },
  }
}
