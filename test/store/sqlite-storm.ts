/**
 * A process to be killed: commits to a few sessions without end, and tells of each that was answered, with a line written
 * before anything else happens. `node sqlite-storm.ts <folder> <round>`
 */
import { writeSync } from 'node:fs'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { SqliteStore } from '../../src/store/sqlite/store.ts'
import { event, newEpoch, producer } from '../contract/store/kit.ts'
import type { SessionId } from '../../src/protocol/ids.ts'

/** What the killed process had been told. */
export interface Told {
  readonly session: SessionId
  readonly id: string
  readonly serial: number
  readonly tag: string
}

const [folder = '', round = '0'] = process.argv.slice(2)
/** Waits for a full pipe: what is written after a kill would be told too late. */
function tell(line: Told | { readonly opening: true }): void {
  for (;;) {
    try {
      writeSync(1, `${JSON.stringify(line)}\n`)
      return
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
    }
  }
}

tell({ opening: true })
const store = await SqliteStore.open({ folder, signals: new LocalSignals(), now: Date.now })
const sessions = ['storm-a', 'storm-b', 'storm-c'] as SessionId[]
await Promise.all(
  sessions.map((session) => store.commit({ session, create: { epoch: newEpoch() } })),
)
await Promise.all(Array.from({ length: 24 }, (_, lane) => storm(lane)))

async function storm(lane: number): Promise<void> {
  const session = sessions[lane % sessions.length] as SessionId
  for (let seq = 1; ; seq++) {
    const id = `${round}-${lane}-${seq}`
    const claim = { id: producer(`lane-${lane}`), epoch: Number(round), seq, count: 2 }
    const events = [event(JSON.stringify('x'.repeat((seq * 37) % 900)), id), event()]
    const result = await store.commit({
      session,
      events,
      producer: { ...claim, seq: 2 * seq - 1 },
      writes: [{ field: `lane-${lane}`, value: id }],
    })
    if (result.outcome !== 'committed') throw new Error(`unexpected ${result.outcome}`)
    tell({ session, id, serial: result.first, tag: events[0]?.tag ?? '' })
  }
}
