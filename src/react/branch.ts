/** Which of the alternatives is looked at: this view's own, until it is shared. [P-16] */
export interface Branch {
  /** The message that the path goes through: what was selected here, else what is shared; `null`: the latest message. */
  readonly selected: string | null
  /** The ids of the alternatives that a message is one of, its own too, oldest first. */
  readonly siblings: (id: string) => readonly string[]
  /** Looks at the path through a message; `null`: at what is shared, or the latest. Nobody else notices. */
  readonly select: (id: string | null) => void
  /**
   * Lets all look at what is looked at here, who have not selected something themselves.
   * @throws ClientError by the promise, as `setState` does
   */
  readonly share: () => Promise<void>
}

export type BranchVerbs = Pick<Branch, 'select' | 'share'>
