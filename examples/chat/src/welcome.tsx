import { useState } from 'react'
import type { Role, Wish } from './join.ts'
import { Logo } from './icons.tsx'

interface Props {
  readonly address: { readonly session?: string; readonly role: Role }
  readonly failed: string | null
  readonly onEnter: (wish: Wish) => void
}

/** Who one is: a real application has a login in its place. */
export function Welcome({ address, failed, onEnter }: Props) {
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>(address.role)
  const wish: Wish = {
    name: name.trim(),
    role,
    ...(address.session !== undefined && { session: address.session }),
  }
  return (
    <main className="welcome">
      <Logo />
      <h1>Ferry desk</h1>
      <p>
        {address.session === undefined
          ? 'Plan a trip with an agent that nothing can interrupt: no reload, no tunnel, no restart.'
          : 'Somebody is planning a trip here, and would like you to join.'}
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (wish.name !== '') onEnter(wish)
        }}
      >
        <label>
          Your name
          <input
            value={name}
            onChange={(event) => setName(event.target.value)}
            maxLength={40}
            autoComplete="given-name"
            autoFocus
            required
          />
        </label>
        <label className="check">
          <input
            type="checkbox"
            checked={role === 'supervisor'}
            onChange={(event) => setRole(event.target.checked ? 'supervisor' : 'human')}
          />
          Come in as a supervisor: watch unseen, and take over
        </label>
        <button className="primary" type="submit">
          Come in
        </button>
      </form>
      {failed !== null && (
        <p role="alert" className="bad">
          {failed}
        </p>
      )}
    </main>
  )
}
