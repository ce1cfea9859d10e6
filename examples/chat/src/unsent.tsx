import type { SessionHandle } from 'heldline/react'

type Said = SessionHandle['messages'][number]

interface Props {
  readonly messages: readonly Said[]
  readonly onRetry: (message: string) => void
  readonly onDiscard: (message: string) => void
}

/** What was said here and is not in the conversation yet: nobody has to wonder whether it is lost, or say it twice. */
export function Unsent({ messages, onRetry, onDiscard }: Props) {
  if (messages.length === 0) return null
  return (
    <ol className="unsent" aria-label="What is not sent yet">
      {messages.map(({ id, role, parts, failed }) => (
        <li
          key={id}
          className="message"
          data-role={role}
          data-mine="true"
          data-status={failed === undefined ? 'pending' : 'failed'}
        >
          <div className="parts">
            <p className="text">{parts.map(({ text = '' }) => text).join('')}</p>
          </div>
          <footer>
            <span className="mark">
              {failed === undefined ? 'On its way' : `Not sent: ${failed.message}`}
            </span>
            {failed !== undefined && (
              <>
                <button type="button" className="small words" onClick={() => onRetry(id)}>
                  Try again
                </button>
                <button type="button" className="small words" onClick={() => onDiscard(id)}>
                  Throw away
                </button>
              </>
            )}
          </footer>
        </li>
      ))}
    </ol>
  )
}
