import type { SessionSnapshot } from 'heldline/client'

type Question = SessionSnapshot['questions'][number]

interface Props {
  readonly question: Question
  readonly mayAnswer: boolean
  readonly onAnswer: (question: string, answer: boolean) => void
}

/** The agent waits for a person: whoever answers first, from whichever device, has answered for all. */
export function QuestionCard({ question, mayAnswer, onAnswer }: Props) {
  const { id, prompt, status } = question
  if (status !== 'open') return null
  return (
    <section className="question" role="group" aria-label="The agent asks">
      <p>{prompt}</p>
      <div>
        <button
          type="button"
          className="primary"
          disabled={!mayAnswer}
          onClick={() => onAnswer(id, true)}
        >
          Yes, do it
        </button>
        <button type="button" disabled={!mayAnswer} onClick={() => onAnswer(id, false)}>
          No
        </button>
      </div>
    </section>
  )
}
