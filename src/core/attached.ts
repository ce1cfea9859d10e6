import type { MemberKind } from '../protocol/capabilities.ts'
import type { Member } from '../protocol/event.ts'
import type { SessionId } from '../protocol/ids.ts'
import type { ReadPorts } from './read-events.ts'
import type { Views } from './views.ts'
import { waitFor, type WaitOptions } from './wait-for.ts'

export interface AttachedPorts extends ReadPorts {
  readonly views: Pick<Views, 'at'>
}

export interface AttachedOptions extends WaitOptions {
  /** `attached`: somebody of the kind is; `empty`: nobody of it is. */
  readonly until: 'attached' | 'empty'
  readonly kind: MemberKind
}

export interface Present {
  readonly members: readonly Member[]
  readonly attached: Readonly<Record<MemberKind, number>>
}

/** Who is there now, for those who decide by it. [P-5.5] */
export class Attached {
  readonly #ports: AttachedPorts

  constructor(ports: AttachedPorts) {
    this.#ports = ports
  }

  /**
   * Who is there, once somebody of a kind is or nobody of it is any more; where the time is over first, as it is then.
   * @throws HeldlineError `session_not_found`
   */
  once(session: SessionId, options: AttachedOptions): Promise<Present> {
    const { until, kind } = options
    return waitFor(this.#ports, session, 'member', options, async () => {
      const { members: present, position } = await this.#ports.views.at(session)
      const members = [...present.values()]
      const attached = countAttached(members)
      const found = attached[kind] > 0 === (until === 'attached')
      return { value: { members, attached }, position, found }
    })
  }
}

/** How many subjects of each kind are attached: members of one subject count once. [P-5.5] */
export function countAttached(members: Iterable<Member>): Record<MemberKind, number> {
  const seen = new Set<string>()
  const counts = { human: 0, agent: 0, supervisor: 0 }
  for (const { connected, kind, subject } of members) {
    if (!connected || seen.has(`${kind} ${subject}`)) continue
    seen.add(`${kind} ${subject}`)
    counts[kind]++
  }
  return counts
}
