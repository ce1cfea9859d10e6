import { Empty } from './empty.tsx'
import { MessageRow, type MessageActions } from './message.tsx'
import { QuestionCard } from './question.tsx'
import { Unsent } from './unsent.tsx'
import type { RoomView } from './use-room.ts'

interface Props {
  readonly view: RoomView
  readonly actions: MessageActions
  readonly onAsk: (text: string) => void
  /** The card with its buttons goes: whoever pressed one is to be somewhere. */
  readonly onAnswered: () => void
}

/** All that is said, what is not sent yet, what the agent asks, and what went wrong. */
export function Conversation({ view, actions, onAsk, onAnswered }: Props) {
  const { session, room, told, attempt } = view
  const answer = async (question: string, said: boolean): Promise<void> => {
    const isAnswered = await attempt('It was not answered', () => session.answer(question, said))
    if (isAnswered) onAnswered()
  }
  return (
    <>
      {view.messages.length === 0 && <Empty onAsk={onAsk} />}
      <ol className="messages" aria-label="The conversation">
        {view.messages.map((message) => {
          const one = told.get(message.id)
          return (
            <MessageRow
              key={message.id}
              message={message}
              told={one}
              mine={message.role === 'user' && (one === undefined || one.by === room.subject)}
              mayChange={view.mayChange}
              actions={actions}
            />
          )
        })}
      </ol>
      <Unsent
        messages={view.unsent}
        onRetry={(id) => session.session().retry(id)}
        onDiscard={(id) => void session.session().discard(id)}
      />
      {session.questions.map((question) => (
        <QuestionCard
          key={question.id}
          question={question}
          mayAnswer={view.known}
          onAnswer={(id, said) => void answer(id, said)}
        />
      ))}
      {[...view.troubles].map((wrong) => (
        <p key={wrong} role="alert" className="refused bad">
          {wrong}
        </p>
      ))}
    </>
  )
}
