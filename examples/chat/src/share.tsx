import { useState } from 'react'
import { addressOf, type Room } from './join.ts'
import { Card } from './panel.tsx'

/** The same session elsewhere: another tab, a phone, another person, a supervisor. */
export function Share({ room }: { readonly room: Room }) {
  const [copied, setCopied] = useState<'not yet' | 'done' | 'refused'>('not yet')
  const link = new URL(addressOf(room.session, 'human'), location.href).href
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(link)
      setCopied('done')
    } catch {
      // There is none where the page came without TLS from elsewhere, and a browser may forbid it.
      setCopied('refused')
    }
  }
  return (
    <Card title="Somewhere else, too">
      <div className="breaks">
        <a href={addressOf(room.session, 'human')} target="_blank" rel="noopener">
          Another tab
        </a>
        <a href={addressOf(room.session, 'supervisor')} target="_blank" rel="noopener">
          As a supervisor
        </a>
        <button type="button" onClick={() => void copy()}>
          {copied === 'done' ? 'Copied' : 'Copy the link'}
        </button>
        {copied === 'refused' && (
          <input
            readOnly
            value={link}
            aria-label="The link, to be copied by hand"
            onFocus={({ target }) => target.select()}
            ref={(field) => field?.focus()}
          />
        )}
      </div>
    </Card>
  )
}
