// What goes on beside the words: the agent, what waits for it, who has the floor, the mail, and the ways to break it.
import type { SessionSnapshot } from 'heldline/client'
import type { ReactNode } from 'react'
import { Cross } from './icons.tsx'
import { nameOf } from './people.tsx'

type Input = SessionSnapshot['inputs'][number]

interface QueueProps {
  readonly inputs: readonly Input[]
  readonly textOf: (message: string | null) => string
  readonly onCancel: (input: string) => void
}

export function Queue({ inputs, textOf, onCancel }: QueueProps) {
  if (inputs.length === 0) return null
  return (
    <Card title="Waiting for the agent">
      <ul className="queue">
        {inputs.map((input) => (
          <li key={input.id} data-mode={input.mode}>
            <span className="tag">{input.mode}</span>
            <span>{textOf(input.message)}</span>
            <button
              type="button"
              className="small"
              onClick={() => onCancel(input.id)}
              aria-label={`Take back: ${textOf(input.message)}`}
            >
              <Cross />
            </button>
          </li>
        ))}
      </ul>
    </Card>
  )
}

interface FloorProps {
  readonly controller: SessionSnapshot['controller']
  readonly subject: string
  readonly supervisor: boolean
  readonly onTake: () => void
  readonly onRelease: () => void
}

/** Who speaks as the assistant. */
export function Floor({ controller, subject, supervisor, onTake, onRelease }: FloorProps) {
  const mine = controller?.subject === subject
  if (!supervisor) {
    if (controller === null) return null
    return (
      <Card title="A person has taken over">
        <p className="quiet">
          {nameOf(controller.subject)} speaks in the agent’s place, until they hand back.
        </p>
      </Card>
    )
  }
  return (
    <Card title={mine ? 'You have the floor' : 'You watch unseen'}>
      <p className="quiet">
        {mine
          ? 'What you write is said in the agent’s place. Its own words are refused; its work goes on.'
          : 'Nobody sees that you are here. Take over, and the agent falls silent.'}
      </p>
      {mine ? (
        <button type="button" className="primary" onClick={onRelease}>
          Hand back
        </button>
      ) : (
        <button type="button" onClick={onTake}>
          Take over
        </button>
      )}
    </Card>
  )
}

export function Card({
  title,
  children,
}: {
  readonly title: string
  readonly children: ReactNode
}) {
  return (
    <section className="card">
      <h2>{title}</h2>
      {children}
    </section>
  )
}
