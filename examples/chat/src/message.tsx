import type { UIMessage } from 'ai'
import { memo, useRef, useState, type RefObject } from 'react'
import { Again, Check, Cross, Left, Pencil, Right } from './icons.tsx'
import { MessagePart } from './parts.tsx'
import { nameOf } from './people.tsx'

/** What the session knows of a message beside its words. */
export interface Told {
  readonly status:
    | 'open'
    | 'completed'
    | 'interrupted'
    | 'failed'
    | 'deleted'
    | 'pending'
    | 'refused'
  readonly by: string
  /** A person wrote it in the agent's place. */
  readonly byPerson: boolean
  readonly siblings: readonly string[]
}

export interface MessageActions {
  readonly edit: (message: string, text: string) => void
  readonly again: (message: string) => void
  readonly select: (message: string) => void
}

interface Props {
  readonly message: UIMessage
  readonly told: Told | undefined
  readonly mine: boolean
  readonly mayChange: boolean
  readonly actions: MessageActions
}

export const MessageRow = memo(function MessageRow(props: Props) {
  const { message, told, mine } = props
  const [editing, setEditing] = useState(false)
  const pencil = useRef<HTMLButtonElement>(null)
  const text = textOf(message)
  const growing = told?.status === 'open'
  return (
    <li
      className="message"
      data-role={message.role}
      data-status={told?.status}
      data-mine={mine}
      data-id={message.id}
    >
      {message.role === 'user' && !mine && told !== undefined && (
        <p className="by">{nameOf(told.by)}</p>
      )}
      {message.role === 'assistant' && told?.byPerson === true && (
        <p className="by">{nameOf(told.by)}, in the agent’s place</p>
      )}
      {editing ? (
        <EditForm
          text={text}
          onCancel={() => {
            setEditing(false)
            pencil.current?.focus()
          }}
          onSave={(changed) => {
            setEditing(false)
            props.actions.edit(message.id, changed)
          }}
        />
      ) : (
        <div className="parts">
          {message.parts.map((part, at) => (
            <MessagePart
              key={at}
              part={part}
              growing={growing && at === message.parts.length - 1}
            />
          ))}
        </div>
      )}
      <Footer {...props} pencil={pencil} onEdit={() => setEditing(true)} />
    </li>
  )
})

const MARKS: Partial<Record<Told['status'], string>> = {
  interrupted: 'Stopped here',
  failed: 'It could not be finished',
  pending: 'On its way',
  refused: 'It was not sent',
}

const UNDER_WAY: ReadonlySet<Told['status']> = new Set(['open', 'pending', 'refused'])

function Footer({
  message,
  told,
  mine,
  mayChange,
  actions,
  pencil,
  onEdit,
}: Props & {
  readonly pencil: RefObject<HTMLButtonElement | null>
  readonly onEdit: () => void
}) {
  const mark = told === undefined ? undefined : MARKS[told.status]
  const over = told !== undefined && !UNDER_WAY.has(told.status)
  return (
    <footer>
      {mark !== undefined && <span className="mark">{mark}</span>}
      {told !== undefined && told.siblings.length > 1 && (
        <Branches message={message.id} siblings={told.siblings} onSelect={actions.select} />
      )}
      {mine && mayChange && over && (
        <button
          ref={pencil}
          type="button"
          className="small"
          onClick={onEdit}
          aria-label="Change this and ask again"
        >
          <Pencil />
        </button>
      )}
      {message.role === 'assistant' && mayChange && over && (
        <button
          type="button"
          className="small"
          onClick={() => actions.again(message.id)}
          aria-label="Answer again"
        >
          <Again />
        </button>
      )}
    </footer>
  )
}

interface BranchesProps {
  readonly message: string
  readonly siblings: readonly string[]
  readonly onSelect: (message: string) => void
}

/** Every version stays; the arrows go from one to the next. */
function Branches({ message, siblings, onSelect }: BranchesProps) {
  const at = siblings.indexOf(message)
  const step = (by: number): void => {
    const next = siblings[at + by]
    if (next !== undefined) onSelect(next)
  }
  return (
    <span className="branches" role="group" aria-label="Versions of this message">
      <button
        type="button"
        className="small"
        disabled={at <= 0}
        onClick={() => step(-1)}
        aria-label="The version before"
      >
        <Left />
      </button>
      <span aria-live="polite">
        {at + 1}/{siblings.length}
      </span>
      <button
        type="button"
        className="small"
        disabled={at >= siblings.length - 1}
        onClick={() => step(1)}
        aria-label="The next version"
      >
        <Right />
      </button>
    </span>
  )
}

interface EditProps {
  readonly text: string
  readonly onSave: (text: string) => void
  readonly onCancel: () => void
}

function EditForm({ text, onSave, onCancel }: EditProps) {
  const [changed, setChanged] = useState(text)
  return (
    <form
      className="edit"
      onSubmit={(event) => {
        event.preventDefault()
        if (changed.trim() !== '') onSave(changed.trim())
      }}
    >
      <textarea
        aria-label="Your message, changed"
        value={changed}
        onChange={(event) => setChanged(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onCancel()
        }}
        autoFocus
      />
      <button type="submit" className="small" aria-label="Ask this instead">
        <Check />
      </button>
      <button type="button" className="small" onClick={onCancel} aria-label="Leave it as it was">
        <Cross />
      </button>
    </form>
  )
}

export function textOf({ parts }: UIMessage): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
}
