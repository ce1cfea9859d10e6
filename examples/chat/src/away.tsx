import { useEffect, useState } from 'react'
import { Mail } from './icons.tsx'

interface Mailed {
  readonly id: string
  readonly text: string
  readonly at: number
}

interface Props {
  readonly subject: string
  readonly name: string
  readonly onReturn: () => void
}

const LOOK_MS = 2000

/** One has left; what is finished meanwhile comes by mail. */
export function Away({ subject, name, onReturn }: Props) {
  const mails = useInbox(subject)
  return (
    <main className="away">
      <h1>You are away, {name}</h1>
      <p className="quiet">
        The agent goes on without you. What it finishes and you do not see within ten seconds is
        sent to you, once.
      </p>
      <ul className="mails" aria-live="polite" aria-label="Your mail">
        {mails.map((mail) => (
          <li key={mail.id}>
            <Mail />
            <div>
              <strong>Your answer is ready</strong>
              <time>{new Date(mail.at).toLocaleTimeString()}</time>
              <p>{plain(mail.text).slice(0, 180)}…</p>
            </div>
          </li>
        ))}
        {mails.length === 0 && <li className="quiet">No mail yet.</li>}
      </ul>
      <button type="button" className="primary" onClick={onReturn}>
        Come back
      </button>
    </main>
  )
}

/** Of Markdown, the words. */
function plain(text: string): string {
  return text.replace(/[*_`#]|^\|.*$/gm, '').replace(/\n{2,}/g, '\n')
}

async function readInbox(subject: string): Promise<readonly Mailed[]> {
  const response = await fetch(`/api/inbox?subject=${encodeURIComponent(subject)}`)
  if (!response.ok) throw new Error(`no look into the inbox: ${response.status}`)
  // Our own backend's answer.
  return ((await response.json()) as { mails: Mailed[] }).mails
}

function useInbox(subject: string): readonly Mailed[] {
  const [mails, setMails] = useState<readonly Mailed[]>([])
  useEffect(() => {
    const look = (): void => {
      // The next look may find what this one does not.
      readInbox(subject).then(setMails, () => undefined)
    }
    look()
    const timer = setInterval(look, LOOK_MS)
    return () => clearInterval(timer)
  }, [subject])
  return mails
}
