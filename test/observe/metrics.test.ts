import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { renderMetrics } from '../../scripts/render-metrics.ts'
import type { Metrics } from '../../src/core/metrics.ts'
import { Resume } from '../../src/core/resume.ts'
import type { Batch } from '../../src/core/feed.ts'
import { closeReason } from '../../src/observe/metrics/close-reason.ts'
import { CommittedEvents } from '../../src/observe/metrics/committed-events.ts'
import { CountedStore } from '../../src/observe/metrics/counted-store.ts'
import { Numbers } from '../../src/observe/metrics/numbers.ts'
import { countedLog, countedSender } from '../../src/observe/metrics/observed.ts'
import { Recorder } from '../../src/observe/metrics/recorder.ts'
import { Series } from '../../src/observe/metrics/series.ts'
import { METRICS, unitOf, type MetricRow } from '../../src/observe/metrics/table.ts'
import { EVENT_DATA } from '../../src/protocol/event.ts'
import { ERRORS, HeldlineError } from '../../src/protocol/errors.ts'
import { encodeBody } from '../../src/protocol/codec.ts'
import type { Epoch, SessionId, Tag } from '../../src/protocol/ids.ts'
import type { Position } from '../../src/protocol/position.ts'
import { LocalSignals } from '../../src/store/local-signals.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { readMetrics, type Scraped } from '../support/metrics.ts'

const rows = Object.entries<MetricRow>(METRICS)
const shown = async (numbers: Numbers): Promise<Scraped> => readMetrics(await numbers.text())

describe('the table of metrics', () => {
  test('is what docs/metrics.md says', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8')
    expect(renderMetrics(page)).toBe(page)
    for (const [name] of rows) expect(page).toContain(`\`${name}\``)
    // What the rest of the page names is there, too.
    const named = new Set(page.match(/heldline_[a-z_]+/g))
    const known = new Set(rows.flatMap(([name]) => [name, `${name}_bucket`, `${name}_count`]))
    expect([...named].filter((name) => !known.has(name))).toEqual([])
  })

  test('names things as Prometheus does: base units, counters with _total, and labels that hold no id', () => {
    for (const [name, row] of rows) {
      expect(name).toMatch(/^heldline_[a-z_]+$/)
      expect([name, name.endsWith('_total')]).toEqual([name, row.type === 'counter'])
      if (row.type === 'histogram') expect(unitOf(name)).toBe('seconds')
      for (const label of Object.keys(row.labels)) {
        expect(label).toMatch(
          /^(transport|reason|result|way|outcome|op|code|durability|state|route|status|face|level|type)$/,
        )
      }
    }
  })

  test('is all that is shown, beside what Node and the system say of the process', async () => {
    const { names } = await shown(new Numbers())
    const ours = [...names].filter((name) => !/^(process|nodejs)_/.test(name))
    const expected = rows.flatMap(([name, { type, labels }]) => {
      if (type === 'histogram') return ['bucket', 'sum', 'count'].map((end) => `${name}_${end}`)
      // What cannot be foreseen is there once it has happened.
      return Object.values(labels).some((values) => typeof values === 'string') ? [] : [name]
    })
    expect(ours.toSorted()).toEqual(expected.toSorted())
    for (const name of [
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_heap_size_used_bytes',
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
    ]) {
      expect(names).toContain(name)
    }
  })
})

describe('a series', () => {
  test('is bounded, whatever its labels are given', () => {
    const series = new Series({ code: 'anything', op: ['a', 'b'] })
    for (let n = 0; n < 10_000; n++) series.add(1, `code-${n}`, n % 2 === 0 ? 'a' : `op-${n}`)
    const all = [...series.all()]
    expect(all.length).toBeLessThanOrEqual(515)
    expect(new Set(all.map(({ labels }) => labels['op']))).toEqual(new Set(['a', 'other']))
    expect(all.reduce((sum, { value }) => sum + value, 0)).toBe(10_000)
  })

  test('has what can be foreseen from the beginning, and one number for one choice of labels', () => {
    const series = new Series({ a: ['x', 'y'], b: ['z'] })
    expect([...series.all()]).toEqual([
      { labels: { a: 'x', b: 'z' }, value: 0 },
      { labels: { a: 'y', b: 'z' }, value: 0 },
    ])
    expect(series.cell('x', 'z')).toBe(series.cell('x', 'z'))
    expect(series.cell('?', 'z')).toBe(series.cell('!', 'z'))
  })
})

const body = (type: string, data: unknown): { readonly tag: Tag; readonly body: string } => ({
  tag: 'aaaaaaaa' as Tag,
  body: encodeBody(
    type,
    'id',
    { subject: 'a","data":{"run":"r","status":"stalled"' },
    JSON.stringify(data),
  ),
})

describe('what is committed', () => {
  test('is counted by its type, whatever it says; what an application says of itself is one', async () => {
    const numbers = new Numbers()
    const events = new CommittedEvents(numbers)
    const types = Object.keys(EVENT_DATA)
    events.count(types.map((type) => body(type, {})))
    events.count([body('x.one', {}), body('x.two', { type: 'run.lost' })])
    const { of } = await shown(numbers)
    for (const type of types)
      expect([type, of('heldline_events_total', { type })]).toEqual([type, 1])
    expect(of('heldline_events_total', { type: 'x' })).toBe(2)
    expect(of('heldline_events_total')).toBe(types.length + 2)
  })

  test('[S3-08] runs by how they end, stalls apart from other words about a run, deliveries by where they went', async () => {
    const numbers = new Numbers()
    const events = new CommittedEvents(numbers)
    events.count([
      body('run.status', { run: 'r', status: 'stalled' }),
      body('run.status', { run: 'r', status: 'thinking' }),
      body('run.status', { run: 'r', status: 'thinking', checkpoint: { status: 'stalled' } }),
      body('delivery.acked', { delivery: 'd', via: 'webhook' }),
      body('delivery.acked', { delivery: 'd', via: 'read' }),
      body('delivery.acked', { delivery: 'd', via: 'read' }),
    ])
    const { of } = await shown(numbers)
    expect(of('heldline_runs_stalled_total')).toBe(1)
    expect(of('heldline_deliveries_total', { state: 'webhook' })).toBe(1)
    expect(of('heldline_deliveries_total', { state: 'read' })).toBe(2)
  })
})

describe('a store that is counted', () => {
  const session = 's' as SessionId
  const epoch = 'abcdefghij' as Epoch

  test('answers as it did, and tells of conflicts, errors and what is trimmed', async () => {
    const numbers = new Numbers()
    const plain = new MemoryStore(new LocalSignals(), () => 1)
    const store = new CountedStore(plain, numbers)
    expect(store.durability).toBe('memory')
    const made = await store.commit({
      session,
      create: { epoch },
      events: [body('x.a', 1), body('x.b', 2)],
    })
    expect(made).toMatchObject({ outcome: 'committed', last: 2 })
    const guards = [{ field: 'f', equals: 'v' }]
    expect(await store.commit({ session, guards })).toMatchObject({ outcome: 'conflict' })
    const policy = { maxEvents: 1, maxBytes: null, maxAgeMs: null, notAfter: 2, limit: 10 }
    expect(await store.trim(session, policy)).toMatchObject({ trimmed: 1 })
    const away = new HeldlineError('store_unavailable', 'away')
    plain.read = () => Promise.reject(away)
    await expect(store.read(session, { after: 0, limit: 1, maxBytes: 1 })).rejects.toBe(away)
    plain.heads = () => Promise.reject(new TypeError('a mistake'))
    await expect(store.heads([session])).rejects.toThrow('a mistake')
    const { of } = await shown(numbers)
    expect(of('heldline_commits_total', { outcome: 'committed' })).toBe(1)
    expect(of('heldline_commits_total', { outcome: 'conflict' })).toBe(1)
    expect(of('heldline_trimmed_events_total')).toBe(1)
    expect(of('heldline_store_errors_total', { op: 'read', code: 'store_unavailable' })).toBe(1)
    expect(of('heldline_store_errors_total', { op: 'heads', code: 'internal' })).toBe(1)
    expect(of('heldline_store_duration_seconds_count', { op: 'commit' })).toBe(2)
    expect(of('heldline_store_duration_seconds_count', { op: 'read' })).toBe(1)
    expect(of('heldline_store_durability_info', { durability: 'memory' })).toBe(1)
    expect(of('heldline_store_durability_info')).toBe(1)
  })
})

describe('what is told', () => {
  test('[S3-08] an append whose outcome nobody knows is neither refused nor failed', async () => {
    const numbers = new Numbers()
    const recorder = new Recorder(numbers)
    const codes = [
      'outcome_unknown',
      'durability_timeout',
      'session_closed',
      'store_unavailable',
    ] as const
    for (const code of codes) {
      const error = new HeldlineError(code, 'no')
      const failing = recorder.append('http', [{ rawData: '1' }], () => Promise.reject(error))
      await expect(failing).rejects.toBe(error)
    }
    const { of } = await shown(numbers)
    expect(of('heldline_appends_total', { way: 'http', result: 'unknown' })).toBe(2)
    expect(of('heldline_appends_total', { way: 'http', result: 'refused' })).toBe(1)
    expect(of('heldline_appends_total', { way: 'http', result: 'failed' })).toBe(1)
    expect(of('heldline_appended_events_total')).toBe(0)
  })

  test('[S3-08] why a connection is gone is one of few words, whatever code a client sends', () => {
    const ours = Object.values(ERRORS).flatMap((row) => ('close' in row ? [row.close] : []))
    expect(ours.length).toBeGreaterThan(5)
    for (const code of ours) expect([code, closeReason(code)]).not.toEqual([code, 'other'])
    expect(closeReason(4508)).toBe('slow_consumer')
    expect(closeReason(1006)).toBe('broken')
    expect(closeReason(null)).toBe('gone')
    for (const code of [0, 1999, 3000, 4000, 4999, Number.NaN])
      expect(closeReason(code)).toBe('other')
  })

  test('[S3-08] tries of the webhook by what came of them, lines of the log by their level', async () => {
    const numbers = new Numbers()
    const outcomes = ['taken', 'failed', 'failed'] as const
    let nth = 0
    const sender = countedSender(
      {
        send: () => {
          const kind = outcomes[nth++] ?? 'taken'
          return Promise.resolve(
            kind === 'taken' ? { kind } : { kind, reason: 'status_500', retryAfterMs: null },
          )
        },
      },
      numbers,
    )
    const { signal } = new AbortController()
    for (const kind of outcomes) {
      expect(await sender.send({ id: 'd', body: '{}' }, signal)).toMatchObject({ kind })
    }
    const lines: string[] = []
    const write = (event: string): void => void lines.push(event)
    const log = countedLog({ info: write, warn: write, error: write }, numbers)
    log.info('a.b')
    log.warn('c.d')
    log.error('e.f')
    log.error('g.h')
    expect(lines).toEqual(['a.b', 'c.d', 'e.f', 'g.h'])
    const { of } = await shown(numbers)
    expect(of('heldline_webhook_tries_total', { outcome: 'taken' })).toBe(1)
    expect(of('heldline_webhook_tries_total', { outcome: 'failed' })).toBe(2)
    expect(of('heldline_log_lines_total', { level: 'error' })).toBe(2)
    expect(of('heldline_log_lines_total')).toBe(4)
  })
})

describe('a return [S3-02]', () => {
  const at = (serial: number): Position => ({
    epoch: 'abcdefghij' as Epoch,
    serial,
    tag: 'aaaaaaaa' as Tag,
  })
  const batch = (first: number, last: number): Batch => ({
    events: Array.from({ length: last - first + 1 }, (_, n) => ({
      serial: first + n,
      tag: 'aaaaaaaa' as Tag,
      prev: 'aaaaaaaa' as Tag,
      at: 0,
      text: 'ä'.repeat(5),
    })),
    frame: { text: '', type: 'events', reaches: at(last) },
    reaches: at(last),
  })
  const told: unknown[] = []
  const metrics = {
    resuming: () => (result: string, recovered: object) => told.push({ result, ...recovered }),
  } as Partial<Metrics> as Metrics
  const begin = (position: Position, head: Position): Resume => {
    told.length = 0
    const resume = Resume.begin(metrics, position)
    if (resume === null) throw new Error('it is no return')
    resume.from(position, head)
    return resume
  }

  test('is over with the last event that was missed; what follows is none of it', () => {
    const resume = begin(at(2), at(10))
    resume.delivered(batch(3, 6))
    expect(told).toEqual([])
    resume.delivered(batch(7, 14))
    resume.delivered(batch(15, 16))
    resume.end('unfinished')
    expect(told).toEqual([{ result: 'events', events: 8, bytes: 80 }])
  })

  test('that missed nothing is over at once, also where it is ahead of this node’s tail', () => {
    begin(at(7), at(7))
    expect(told).toEqual([{ result: 'current', events: 0, bytes: 0 }])
    begin(at(9), at(7)).delivered(batch(10, 11))
    expect(told).toEqual([{ result: 'current', events: 0, bytes: 0 }])
  })

  test('by what events fold to counts them all, and the bytes of what stands for them', () => {
    const resume = begin(at(1), at(9000))
    resume.fold(8999)
    resume.handed({ text: 'ab', type: 'snapshot', reaches: null })
    resume.handed({ text: 'cd', type: 'snapshot', reaches: at(9000) })
    resume.delivered(batch(9001, 9002))
    expect(told).toEqual([{ result: 'folded', events: 8999, bytes: 4 }])
  })

  test('that ends before it has everything says what it got', () => {
    const resume = begin(at(2), at(10))
    resume.delivered(batch(3, 6))
    resume.end('unfinished')
    expect(told).toEqual([{ result: 'unfinished', events: 4, bytes: 40 }])
  })

  test('is none where nobody was there before, or nobody counts', () => {
    expect(Resume.begin(metrics, null)).toBeNull()
    expect(Resume.begin(metrics, at(0))).toBeNull()
    expect(Resume.begin(undefined, at(5))).toBeNull()
  })
})
