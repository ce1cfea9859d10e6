// What the scripted model says. Nothing here knows of sessions: it is what a model would have said.

export interface Turn {
  readonly thoughts?: string
  readonly text?: string
  readonly call?: { readonly id: string; readonly tool: string; readonly input: object }
}

/** `failed`: the tool has thrown. Perhaps nobody could be asked; perhaps it is not known whether it was paid. */
export type Booking = 'booked' | 'refused' | 'failed'

interface Told {
  readonly question: string
  /** How many tools have answered since the question. */
  readonly results: number
  /** What the last tool says about the booking, where it was one. */
  readonly booking: Booking
  /** What the person added while the agent was at it. */
  readonly added: readonly string[]
}

/** What nobody may do unasked. */
const SENSITIVE = /\b(book|buy|pay|publish|send|deploy|delete)\b/i

export function beforeTools(question: string): Turn {
  const topic = short(question)
  if (SENSITIVE.test(question)) {
    return {
      thoughts: `“${topic}” cannot be taken back once it is done. I should say what I am about to do, and let a person decide.`,
      text: `Here is the plan for **${topic}**:\n\n1. hold the two cabins on the night ferry,\n2. pay for them with the card on file,\n3. mail the tickets to everyone here.\n\nI need a yes before the second step.`,
      call: {
        id: 'call-book',
        tool: 'book_ferry',
        input: { cabins: 2, price: 284, currency: 'EUR' },
      },
    }
  }
  return {
    thoughts: `They ask about “${topic}”. I have to look at the timetable first; without it I would only guess. Then the weather, because the crossing is cancelled when the wind is above nine. Only then can I say something that holds.`,
    call: {
      id: 'call-timetable',
      tool: 'timetable',
      input: { from: 'Kiel', to: 'Gothenburg', days: 3 },
    },
  }
}

export function afterTools({ question, results, booking, added }: Told): Turn {
  const topic = short(question)
  const heard =
    added.length === 0
      ? ''
      : `\n\n*You added “${short(added.join(', '))}” while I was at it: I have taken it in.*`
  if (SENSITIVE.test(question)) return { text: ABOUT[booking] + heard }
  if (results === 1) {
    return {
      text: `There are three crossings that fit. Let me look at the weather before I recommend one.${heard}`,
      call: { id: 'call-weather', tool: 'weather', input: { sea: 'Kattegat', days: 3 } },
    }
  }
  return { text: recommendation(topic) + heard }
}

const short = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length > 70 ? `${line.slice(0, 69)}…` : line || 'nothing in particular'
}

const recommendation = (
  topic: string,
): string => `For “${topic}” I would take the **night ferry on Thursday**.

| crossing | leaves | wind | |
|---|---|---|---|
| Wednesday, day | 09:00 | 7 | full but for seats |
| **Thursday, night** | **18:45** | **4** | **two cabins left** |
| Friday, night | 18:45 | 10 | likely to be cancelled |

Why not the others: on Wednesday you would sit up for fourteen hours, and Friday's wind is above what that ship sails in. On Thursday the sea is calm from midnight on, there are two cabins with a window, and you are there for breakfast.

While I wrote this, you could have closed the page, lost the network or opened it on your phone: every word has a serial in the session, and your browser asks for what follows the last one it has. Try it with the switches under *Break it*.

Shall I book the two cabins?`

const ABOUT: Readonly<Record<Booking, string>> = {
  booked: `Done: two cabins on Thursday's night ferry, **284 €**, paid once. The tickets are on their way to everyone here.

If I had died between paying and telling you, the next process would have found the payment in the session, and would not have paid again.`,
  refused: `All right, nothing is booked and nothing is paid. The cabins are held until six; tell me if you change your mind.`,
  failed: `That did not work, and nobody has told me that anything is booked or paid. Look whether it is before you ask me again.`,
}
