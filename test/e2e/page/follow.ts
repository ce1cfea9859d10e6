// The page of the browser tests: follows a session with the client as it is, and keeps a history of what it took over its reloads.
import { createClient } from '../../../src/client/index.ts'

/** One line of the history, in the order in which things happened. */
export type Entry =
  | { readonly kind: 'load' }
  | { readonly kind: 'snapshot'; readonly serial: number; readonly text: string }
  | { readonly kind: 'event'; readonly serial: number; readonly tag: string; readonly prev: string }
  | { readonly kind: 'reset'; readonly reason: string }

const query = new URLSearchParams(location.search)
const history: Entry[] = JSON.parse(sessionStorage.getItem('history') ?? '[]') as Entry[]

function note(entry: Entry): void {
  history.push(entry)
  sessionStorage.setItem('history', JSON.stringify(history))
}

note({ kind: 'load' })
const client = createClient({
  url: query.get('server') ?? '',
  token: query.get('token') ?? '',
  ...(query.get('share') === 'leader' && { share: 'leader' }),
})
const session = client.session(query.get('session') ?? '')

/** Sessions that the page follows beside it. */
const others = query.getAll('beside').map((id) => client.session(id))
for (const other of others) other.attach()

let serial = -1
session.on('event', (event) => {
  note({ kind: 'event', serial: event.serial, tag: event.tag, prev: event.prev })
  serial = event.serial
})
session.on('reset', (reset) => note({ kind: 'reset', reason: reset.reason }))
session.on('change', (snapshot) => {
  const at = Number(snapshot.position?.split('.')[1] ?? -1)
  // Moved without an event: a snapshot was taken.
  if (at > serial && serial < 0) {
    note({ kind: 'snapshot', serial: at, text: textOf('answer') })
    serial = at
  }
})

function textOf(message: string): string {
  const found = session.messages.find((one) => one.id === message)
  return (found?.parts ?? []).map((part) => part.text ?? '').join('')
}

/** What the test reads. */
export interface TestPage {
  readonly history: readonly Entry[]
  readonly state: () => string
  readonly text: () => string
  readonly messages: () => unknown
  readonly status: () => string | undefined
  /** Of all messages but the answer: their words, and whether they are still on their way. */
  readonly said: () => readonly (readonly [words: string, pending: boolean])[]
  /** Of each session beside: how it is, and its words. */
  readonly beside: () => readonly (readonly [state: string, words: string])[]
  /** Says it, and is not there when it has arrived. */
  readonly say: (words: string, how: 'send' | 'prompt') => void
}

const page: TestPage = {
  history,
  state: () => client.state,
  text: () => textOf('answer'),
  messages: () => session.messages,
  status: () => session.messages.find((one) => one.id === 'answer')?.status,
  said: () =>
    session.messages
      .filter(({ id }) => id !== 'answer')
      .map(({ parts, pending }) => [parts.map(({ text }) => text).join(''), pending === true]),
  beside: () =>
    others.map(({ state, messages }) => [
      state,
      messages.flatMap(({ parts }) => parts.map(({ text }) => text)).join(' '),
    ]),
  say(words, how) {
    // The page is gone before it is answered: that it arrives is what is tested.
    session[how](words).catch(() => undefined)
  },
}
Object.assign(globalThis, { page })
