import type { Draft, Lane } from '../protocol/formats/draft.ts'
import type { AgentLane } from './appender.ts'

/** What a message follows: a message's id; `null`: none, it is a root; `undefined`: the latest of the session. */
export type Parent = string | null | undefined

/** A message that the next one may follow. */
interface Said {
  readonly id: string | null
  /** Not there any more where it was refused. */
  readonly kept: () => boolean
}

/** Of more, the oldest are not needed: only what was refused lately is not there. */
const MAX_SAID = 1000

/**
 * Where a run's messages stand: the first answers what the run answers, and each further one follows the latest that the run wrote, or was told. So
 * what runs write side by side stays apart. A run that answers nothing in particular leaves it to the session. [P-16.6]
 */
export class RunBranch {
  #answers: Parent
  readonly #said: Said[] = []

  /** @param answers where its caller says it: nothing else does then @param latest what an earlier process of the run wrote last, where that is gone on with */
  constructor(answers: Parent, latest: string | undefined) {
    this.#answers = answers
    if (latest !== undefined) this.#said.push({ id: latest, kept: always })
  }

  /** What the run answers. */
  get answers(): Parent {
    return this.#answers
  }

  /** What the run answers, where nobody has said it yet. */
  answer(parent: Parent): void {
    if (this.#answers === undefined) this.#answers = parent
  }

  /** People said something in between: what is written next follows that. */
  follow(parent: Parent): void {
    if (parent === undefined) return
    this.answer(parent)
    this.#say({ id: parent, kept: always })
  }

  /** What one message is written through: it begins where it belongs, unless it says itself where that is. */
  lane(lane: AgentLane): Lane {
    let begun = false
    return {
      write: (draft) => {
        if (begun) return lane.write(draft)
        begun = true
        const placed = this.#placed(draft)
        this.#say({ id: String(draft.data['message']), kept: () => lane.kept })
        return lane.write(placed)
      },
    }
  }

  #placed(draft: Draft): Draft {
    if (draft.type !== 'message.started') return draft
    const said = draft.data['parent']
    if (said === null || typeof said === 'string') {
      this.answer(said)
      return draft
    }
    const parent = this.#next()
    return parent === undefined ? draft : { ...draft, data: { ...draft.data, parent } }
  }

  #next(): Parent {
    while (this.#said.at(-1)?.kept() === false) this.#said.pop()
    const last = this.#said.at(-1)
    return this.#answers === undefined || last === undefined ? this.#answers : last.id
  }

  #say(said: Said): void {
    this.#said.push(said)
    if (this.#said.length > MAX_SAID) this.#said.shift()
  }
}

function always(): true {
  return true
}
