import type { Secrets } from './credentials.ts'
import { EventReader, type EventReaderPorts } from './event-reader.ts'
import { Http, type HttpPorts } from './http.ts'
import type { Kit } from './kit.ts'
import { ReadMarker } from './read-marker.ts'
import { HttpTransport, subjectOf, type Follow } from './transport/http-transport.ts'
import { canLead, followByLeader, Tabs } from './transport/leader.ts'
import { followByPolling } from './transport/long-poll.ts'
import { Places } from './transport/places.ts'
import { followBySse } from './transport/sse.ts'
import type { HttpKind, Transport, TransportEvents } from './transport/transport.ts'
import { Verbs } from './verbs.ts'

export interface OverHttp {
  /** @param behind whether what follows the tail is to be read from the store */
  reader(ports: EventReaderPorts, tail: string | null, behind: boolean): EventReader
  verbs(session: string): Verbs
  marker(session: string): ReadMarker
  open(kind: HttpKind, secrets: Secrets, events: TransportEvents): Transport
}

/**
 * All that a client needs where a socket is not enough, or not to be had: a bundle of its own, loaded when it comes to that.
 * @param signal ends the verbs that are under way
 */
export function overHttp(ports: HttpPorts, kit: Kit, signal: AbortSignal): OverHttp {
  const http = new Http({ ...ports, kit })
  const { clock, random, base, share } = ports
  const tabs = new Map<string, Tabs>()
  const places = new Places(base)
  const bySse = places.followBy(followBySse)
  const byPolling = places.followBy(followByPolling)
  const streamOf = ({ token }: Secrets): Follow => {
    const subject = subjectOf(token)
    if (share === null || subject === '' || !canLead()) return bySse
    const name = `${share}:${base}:${subject}`
    const known = tabs.get(name) ?? new Tabs(name, bySse, { http, clock, random })
    tabs.set(name, known)
    return followByLeader(known)
  }
  return {
    reader: (reading, tail, behind) =>
      new EventReader(reading, { http, clock, random }, tail, behind),
    marker: (session) => new ReadMarker(session, kit),
    verbs: (session) => new Verbs({ http, clock, random, signal }, session),
    open(kind, secrets, events) {
      const follow = kind === 'sse' ? streamOf(secrets) : byPolling
      return new HttpTransport(kind, follow, { http, clock }, secrets, events)
    },
  }
}
