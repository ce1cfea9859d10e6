import { useState } from 'react'
import { addressOf, type Role, type Room } from './join.ts'
import { Card } from './panel.tsx'

/** The same session elsewhere: another tab, a phone, another person, a supervisor. */
export function Share({ room }: { readonly room: Room }) {
  const [copied, setCopied] = useState<Role | null>(null)
  const copy = (role: Role): void => {
    const link = new URL(addressOf(room.session, role), location.href).href
    void navigator.clipboard?.writeText(link).then(() => setCopied(role))
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
        <button type="button" onClick={() => copy('human')}>
          {copied === 'human' ? 'Copied' : 'Copy the link'}
        </button>
      </div>
    </Card>
  )
}
