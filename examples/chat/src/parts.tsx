// The parts of an answer: what it thought, which tools it used, what it says.
import { getToolName, isToolUIPart, type UIMessage } from 'ai'
import { memo, type ReactNode } from 'react'
import Markdown from 'react-markdown'
import remend from 'remend'
import gfm from 'remark-gfm'
import { Tool } from './icons.tsx'

type Part = UIMessage['parts'][number]
type ToolPart = Extract<Part, { toolCallId: string }>

export const MessagePart = memo(function MessagePart({
  part,
  growing,
}: {
  readonly part: Part
  readonly growing: boolean
}) {
  if (part.type === 'text') return <Text text={part.text} growing={growing} />
  if (part.type === 'reasoning') return <Thoughts text={part.text} growing={growing} />
  if (isToolUIPart(part)) return <ToolCall part={part} />
  return null
})

/** What is not closed yet looks as it will, instead of its marks. */
const UNFINISHED = { linkMode: 'text-only' } as const

function Text({ text, growing }: { readonly text: string; readonly growing: boolean }) {
  return (
    <div className="text" data-growing={growing}>
      <Markdown remarkPlugins={[gfm]} components={{ th: HeadCell }}>
        {growing ? remend(text, UNFINISHED) : text}
      </Markdown>
    </div>
  )
}

/** A column without a name has no head to read out. */
function HeadCell({ children }: { readonly children?: ReactNode }) {
  return children === undefined ? <td /> : <th scope="col">{children}</th>
}

function Thoughts({ text, growing }: { readonly text: string; readonly growing: boolean }) {
  return (
    <details className="thoughts" open={growing || undefined}>
      <summary>{growing ? 'Thinking…' : 'What it thought'}</summary>
      <p>{text}</p>
    </details>
  )
}

const STATES: Readonly<Record<string, string>> = {
  'input-streaming': 'is writing what it wants',
  'input-available': 'at work',
  'approval-requested': 'asks first',
  'output-available': 'done',
  'output-error': 'failed',
  'output-denied': 'not allowed',
}

function ToolCall({ part }: { readonly part: ToolPart }) {
  const output = 'output' in part ? part.output : undefined
  return (
    <details className="tool" data-state={part.state}>
      <summary>
        <Tool />
        <code>{getToolName(part)}</code>
        <span className="quiet">{STATES[part.state] ?? part.state}</span>
      </summary>
      <Json label="in" value={part.input} />
      {output !== undefined && <Json label="out" value={output} />}
      {'errorText' in part && part.errorText !== undefined && (
        <p className="bad">{part.errorText}</p>
      )}
    </details>
  )
}

function Json({ label, value }: { readonly label: string; readonly value: unknown }) {
  if (value === undefined) return null
  return (
    <pre>
      <span className="quiet">{label} </span>
      {JSON.stringify(value, null, 1)}
    </pre>
  )
}
