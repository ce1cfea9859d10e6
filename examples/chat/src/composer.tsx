import { useState, type KeyboardEvent } from 'react'
import { Send, Stop } from './icons.tsx'

/** `ask`: nothing runs. The others are for while it does. */
export type Way = 'ask' | 'queue' | 'steer' | 'interrupt'

const WAYS = [
  { way: 'queue', name: 'Queue', means: 'Answered when it is done with this' },
  { way: 'steer', name: 'Steer', means: 'Taken in at its next step' },
  { way: 'interrupt', name: 'Interrupt', means: 'Stops it now, and asks this' },
] as const

interface Props {
  readonly running: boolean
  /** We speak in the agent's place. */
  readonly controlling: boolean
  /** Nothing can be said any more. */
  readonly over: boolean
  /** @returns whether it is done, of what is not kept until then: the words stay for as long as nobody knows */
  readonly onSend: (text: string, way: Way) => Promise<boolean> | null
  readonly onStop: () => Promise<unknown>
}

export function Composer({ running, controlling, over, onSend, onStop }: Props) {
  const [text, setText] = useState('')
  const [held, setHeld] = useState(false)
  const [stopping, setStopping] = useState(false)
  const [way, setWay] = useState<Exclude<Way, 'ask'>>('queue')
  const send = (): void => {
    const said = text.trim()
    if (said === '' || held || over) return
    const done = onSend(said, running && !controlling ? way : 'ask')
    if (done === null) setText('')
    else void hold(done)
  }
  const hold = async (done: Promise<boolean>): Promise<void> => {
    setHeld(true)
    if (await done) setText('')
    setHeld(false)
  }
  const stop = async (): Promise<void> => {
    setStopping(true)
    await onStop()
    setStopping(false)
  }
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }
  return (
    <form
      className="composer"
      data-controlling={controlling}
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      {running && !controlling && <Ways way={way} onChange={setWay} />}
      <div className="line">
        <textarea
          aria-label={controlling ? 'Speak in the agent’s place' : 'Your message'}
          placeholder={controlling ? 'Speak in the agent’s place…' : 'Ask something…'}
          rows={1}
          value={text}
          readOnly={held}
          aria-busy={held}
          disabled={over}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKey}
        />
        {running && (
          <button
            type="button"
            className="stop"
            onClick={() => void stop()}
            disabled={stopping || over}
            aria-label={stopping ? 'Stopping the answer' : 'Stop the answer'}
          >
            <Stop />
          </button>
        )}
        <button
          type="submit"
          className="primary"
          disabled={text.trim() === '' || held || over}
          aria-label="Send"
        >
          <Send />
        </button>
      </div>
    </form>
  )
}

interface WaysProps {
  readonly way: Way
  readonly onChange: (way: Exclude<Way, 'ask'>) => void
}

function Ways({ way, onChange }: WaysProps) {
  return (
    <fieldset className="ways">
      <legend className="unseen">What your next message does to the answer under way</legend>
      {WAYS.map((one) => (
        <label key={one.way} title={one.means}>
          <input
            type="radio"
            name="way"
            value={one.way}
            checked={way === one.way}
            onChange={() => onChange(one.way)}
          />
          {one.name}
        </label>
      ))}
      <span className="quiet">{WAYS.find((one) => one.way === way)?.means}</span>
    </fieldset>
  )
}
