import type { SessionSnapshot } from 'heldline/client'

type Member = SessionSnapshot['members'][number]

/** One face a person, however many tabs and devices they have here. */
export function Faces({ members }: { readonly members: readonly Member[] }) {
  const people = peopleOf(members)
  if (people.length === 0) return null
  return (
    <ul className="faces" aria-label="Who is here">
      {people.map((person) => (
        <li key={person.subject} data-here={person.here} title={describe(person)}>
          <span aria-hidden="true" style={{ background: `hsl(${hueOf(person.subject)} 45% 42%)` }}>
            {/^./u.exec(person.name)?.[0]}
          </span>
          <span className="unseen">{describe(person)}</span>
        </li>
      ))}
    </ul>
  )
}

interface Person {
  readonly subject: string
  readonly name: string
  readonly here: 'looking' | 'behind' | 'gone'
  readonly devices: number
}

function peopleOf(members: readonly Member[]): Person[] {
  const bySubject = Map.groupBy(
    members.filter(({ kind }) => kind !== 'agent'),
    ({ subject }) => subject,
  )
  return [...bySubject].map(([subject, all]) => ({
    subject,
    name: nameOf(subject),
    here: hereOf(all),
    devices: all.length,
  }))
}

function hereOf(members: readonly Member[]): Person['here'] {
  const connected = members.filter(({ connected: is }) => is)
  if (connected.length === 0) return 'gone'
  return connected.some(({ visible }) => visible) ? 'looking' : 'behind'
}

function describe({ name, here, devices }: Person): string {
  const where = {
    looking: 'is looking',
    behind: 'has another window in front',
    gone: 'has lost the connection',
  }[here]
  return devices > 1 ? `${name} ${where}, on ${devices} devices or tabs` : `${name} ${where}`
}

/** Of `user:ana-maria`. */
export function nameOf(subject: string): string {
  const words = subject.replace(/^user:/, '').split('-')
  // A letter may be two of JavaScript's.
  return words.map((word) => word.replace(/^./u, (letter) => letter.toUpperCase())).join(' ')
}

/** Neighbours in the alphabet are none on the wheel. */
function hueOf(subject: string): number {
  let sum = 7
  for (const letter of subject) sum = (sum * 137 + (letter.codePointAt(0) ?? 0) * 61) % 360
  return sum
}
