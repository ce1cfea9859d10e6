import type { Message } from './fold/message.ts'

/** What is needed of a message to know its place. */
export type Placed = Pick<Message, 'id' | 'parent' | 'role'>

/** The key of the shared state that holds the id of the message that all look at, by convention. [P-16.7] */
export const BRANCH_KEY = 'branch'

/**
 * The messages that people read from the top to the bottom: the path that goes through the selected one, and on from there by the newest. [P-16.2]
 * @param messages in the order in which they were started
 * @param selected a message's id; where it is missing, or not there, the path goes through the latest message
 */
export function activePath<M extends Placed>(
  messages: readonly M[],
  selected?: string | null,
): readonly M[] {
  const at = messages.findIndex(({ id }) => id === selected)
  return walk(messages, at < 0 ? messages.length - 1 : at)
}

/** The path up to a message, and no further: what whoever answers it is to know; nothing where it is not there. [P-16.3] */
export function pathTo<M extends Placed>(messages: readonly M[], id: string): readonly M[] {
  const at = messages.findIndex((message) => message.id === id)
  const one = messages[at]
  if (one === undefined) return []
  const path = walk(messages, at)
  return path.slice(0, path.indexOf(one) + 1)
}

/** The alternatives that a message is one of, itself too, oldest first; nothing where it is not there. [P-16.1] */
export function siblingsOf<M extends Placed>(messages: readonly M[], id: string): readonly M[] {
  const one = messages.find((message) => message.id === id)
  return messages.filter(
    (other) => one?.parent === other.parent && isPersons(one) === isPersons(other),
  )
}

/** The message that is selected for all; `null`: none. [P-16.7] */
export function sharedBranch(
  state: ReadonlyMap<string, { readonly value: unknown }>,
): string | null {
  const value = state.get(BRANCH_KEY)?.value
  return typeof value === 'string' ? value : null
}

function isPersons({ role }: Placed): boolean {
  return role === 'user'
}

/** Each message's place in the list stands for it: a parent counts where it comes before its child, so nothing goes round in a circle. */
function walk<M extends Placed>(messages: readonly M[], through: number): readonly M[] {
  const parents: (number | undefined)[] = []
  const answers: number[] = []
  const follows: number[] = []
  const places = new Map<string, number>()
  const choose = (child: number, parent: number): void => {
    const message = messages[child]
    if (message !== undefined) (isPersons(message) ? follows : answers)[parent] = child
  }
  for (const [place, { parent }] of messages.entries()) {
    let above: number | undefined = place - 1
    // Nearly all follow the one before. Only for another are places written down, which is most of the work.
    if (parent !== messages[above]?.id) {
      for (const { id } of messages.slice(places.size, place)) places.set(id, places.size)
      above = places.get(parent ?? '')
    }
    parents.push(above)
    if (above !== undefined) choose(place, above)
  }
  let root = through
  for (let above = parents[root]; above !== undefined; above = parents[root]) {
    choose(root, above)
    root = above
  }
  const path: M[] = []
  const ahead: (number | undefined)[] = [root]
  while (ahead.length > 0) {
    const place = ahead.pop() ?? -1
    const message = messages[place]
    if (message === undefined) continue
    path.push(message)
    ahead.push(follows[place], answers[place])
  }
  return path
}
