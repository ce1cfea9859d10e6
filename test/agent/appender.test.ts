import { describe, expect, test } from 'vitest'
import { AgentError, disconnected } from '../../src/agent/agent-error.ts'
import { Appender } from '../../src/agent/appender.ts'
import type { Draft } from '../../src/protocol/formats/draft.ts'
import { FakeClock } from '../support/fake-clock.ts'

interface Sent {
  readonly seq: number
  readonly events: readonly Draft[]
  readonly text: string
}

type Reply = 'ok' | 'hold' | Error

/** An appender before a server that answers as it is told to: in order, then `ok`. */
function setup(...replies: Reply[]) {
  const clock = new FakeClock()
  const sent: Sent[] = []
  const held: { resolve(): void; reject(error: Error): void }[] = []
  const ends: unknown[] = []
  let underWay = 0
  let most = 0
  const appender = new Appender({
    clock,
    random: () => 0.5,
    retryForMs: 10_000,
    onEnd: (error) => ends.push(error),
    send: async (text, seq) => {
      // What was sent is JSON of drafts, or the test fails.
      sent.push({ seq, events: JSON.parse(text) as Draft[], text })
      most = Math.max(most, ++underWay)
      try {
        const reply = replies.shift() ?? 'ok'
        if (reply instanceof Error) throw reply
        if (reply === 'hold') {
          await new Promise<void>((resolve, reject) => held.push({ resolve, reject }))
        }
      } finally {
        underWay--
      }
    },
  })
  return { clock, sent, held, ends, appender, most: () => most }
}

function text(words: string, part = 'p1', message = 'm'): Draft {
  return { type: 'message.delta', data: { message, part, type: 'text', text: words } }
}

const started: Draft = { type: 'message.started', data: { message: 'm', role: 'assistant' } }
const texts = ({ events }: Sent): unknown[] => events.map(({ data }) => data['text'])

describe('what is written goes in batches', () => {
  test('after 25 ms, with the text of one part joined [P-2.6]', async () => {
    const { clock, sent, appender } = setup()
    const lane = appender.lane()
    for (const draft of [started, text('a'), text('b'), text('c', 'p2'), text('d', 'p2')]) {
      await lane.write(draft)
    }
    await clock.advance(24)
    expect(sent).toEqual([])
    await clock.advance(1)
    expect(sent.map(({ seq, events }) => [seq, events.length])).toEqual([[0, 3]])
    expect(sent.map(texts)).toEqual([[undefined, 'ab', 'cd']])
    await lane.write(text('e', 'p2'))
    await clock.advance(25)
    // The seq goes on by events, not by requests or writes.
    expect(sent[1]).toMatchObject({ seq: 3 })
    expect(clock.timers).toBe(0)
  })

  test('at 4 KB, without a wait', async () => {
    const { clock, sent, appender } = setup()
    await appender.lane().write(text('x'.repeat(5000)))
    await clock.settle()
    expect(sent).toHaveLength(1)
  })

  test('when somebody waits for it, at once', async () => {
    const { clock, sent, appender } = setup()
    await appender.lane().write(text('now'))
    await clock.resolve(appender.flush())
    expect(clock.elapsed).toBe(0)
    expect(sent).toHaveLength(1)
    await clock.resolve(appender.flush())
    expect(sent).toHaveLength(1)
  })

  test('one at a time: what comes meanwhile is the next one', async () => {
    const { clock, sent, held, appender, most } = setup('hold')
    const lane = appender.lane()
    await lane.write(text('first'))
    await clock.advance(25)
    for (const word of ['a', 'b', 'c']) await lane.write(text(word))
    await clock.advance(1000)
    expect(sent).toHaveLength(1)
    held[0]?.resolve()
    await clock.settle()
    expect(sent.map(texts)).toEqual([['first'], ['abc']])
    expect(most()).toBe(1)
  })

  test.for([-3_600_000, 3_600_000])(
    'no later where the clock of its machine is set by %d ms meanwhile',
    async (byMs) => {
      const { clock, sent, held, appender } = setup('hold')
      const lane = appender.lane()
      await lane.write(text('first'))
      await clock.advance(25)
      await lane.write(text('second'))
      clock.set(byMs)
      held[0]?.resolve()
      await clock.settle()
      await clock.advance(25)
      expect(sent.map(texts)).toEqual([['first'], ['second']])
    },
  )

  test('never more than a request may hold, and a long text in events of their own', async () => {
    const { clock, sent, appender } = setup()
    const lane = appender.lane()
    const written = Array.from({ length: 600 }, (_, n) => lane.write(text(`${n} `, `p${n}`)))
    await clock.resolve(Promise.all(written))
    await clock.resolve(appender.flush())
    expect(Math.max(...sent.map(({ events }) => events.length))).toBeLessThanOrEqual(250)
    expect(sent.flatMap(texts)).toEqual(Array.from({ length: 600 }, (_, n) => `${n} `))
    expect(sent.map(({ seq }) => seq)).toEqual(
      sent.map((_, n) => sent.slice(0, n).reduce((sum, { events }) => sum + events.length, 0)),
    )
  })
})

describe('an outcome that is not known', () => {
  test('is asked for with the same seq and the same text, whatever was written meanwhile [P-2.7]', async () => {
    const busy = new AgentError('overloaded', 'later', { retryable: true, retryAfterMs: 3000 })
    const { clock, sent, appender } = setup(disconnected(), busy, disconnected())
    const lane = appender.lane()
    await lane.write(started)
    await lane.write(text('a'))
    const flushed = appender.flush()
    await lane.write(text('b'))
    await clock.resolve(flushed)
    const tries = sent.slice(0, 4)
    expect(tries.map(({ seq }) => seq)).toEqual([0, 0, 0, 0])
    expect(new Set(tries.map(({ text }) => text)).size).toBe(1)
    // No sooner than the server said.
    expect(clock.elapsed).toBeGreaterThanOrEqual(3000)
    await clock.resolve(appender.flush())
    expect(sent.at(-1)).toMatchObject({ seq: 2 })
    expect(texts(sent.at(-1)!)).toEqual(['b'])
  })

  test('that stays unknown ends it: nothing can follow', async () => {
    const { clock, ends, appender, sent } = setup(
      ...Array.from({ length: 100 }, () => disconnected()),
    )
    const lane = appender.lane()
    await lane.write(text('a'))
    await clock.advance(60_000)
    expect(sent.length).toBeGreaterThan(3)
    expect(sent.length).toBeLessThan(40)
    expect(ends).toMatchObject([{ code: 'disconnected' }])
    await expect(lane.write(text('b'))).rejects.toMatchObject({ code: 'disconnected' })
    await expect(appender.lane().write(text('c'))).rejects.toMatchObject({ code: 'disconnected' })
    await expect(appender.flush()).rejects.toMatchObject({ code: 'disconnected' })
    expect(clock.timers).toBe(0)
  })
})

describe('a refusal', () => {
  const refused = new AgentError('not_controller', 'somebody else speaks')

  test('ends what was being written, has no effect, and leaves the seq to what begins anew', async () => {
    const { clock, sent, ends, appender } = setup('ok', refused)
    const lane = appender.lane()
    await lane.write(started)
    await clock.resolve(appender.flush())
    await lane.write(text('refused'))
    await expect(clock.resolve(appender.flush())).rejects.toBe(refused)
    await expect(lane.write(text('more'))).rejects.toBe(refused)
    expect(lane.over).toBe(true)
    // It was told once, and nothing else waits.
    await appender.flush()
    await appender.lane().write(text('anew'))
    await clock.resolve(appender.flush())
    await expect(lane.write(text('still'))).rejects.toBe(refused)
    expect(sent.map(({ seq }) => seq)).toEqual([0, 1, 1])
    expect(ends).toEqual([])
  })

  test('that nobody waited for is told to the next who writes, or waits', async () => {
    const { clock, appender } = setup(refused, refused)
    const lane = appender.lane()
    await lane.write(text('refused'))
    await clock.advance(25)
    expect(lane.over).toBe(false)
    await expect(lane.write(text('more'))).rejects.toBe(refused)
    expect(lane.over).toBe(true)
    await appender.lane().write(text('again'))
    await clock.advance(25)
    await expect(appender.flush()).rejects.toBe(refused)
  })

  test.each(['run_over', 'run_fenced', 'run_not_found', 'producer_gap'])(
    'by %s is the end of the run here',
    async (code) => {
      const { clock, ends, appender } = setup(new AgentError(code, 'over'))
      await appender.lane().write(text('a'))
      await clock.advance(25)
      expect(ends).toMatchObject([{ code }])
      await expect(appender.lane().write(text('b'))).rejects.toMatchObject({ code })
    },
  )
})

describe('memory is bounded', () => {
  test('who writes faster than the server takes waits', async () => {
    const { clock, held, appender } = setup('hold', 'hold')
    const lane = appender.lane()
    let written = 0
    const writing = (async () => {
      for (; written < 100; written++) await lane.write(text('x'.repeat(4000), `p${written}`))
    })()
    await clock.advance(1000)
    expect(written).toBeLessThan(20)
    held[0]?.resolve()
    await clock.settle()
    held[1]?.resolve()
    await clock.resolve(writing)
    expect(written).toBe(100)
  })

  test('who does not wait is refused in the end', async () => {
    const { clock, appender } = setup('hold')
    const lane = appender.lane()
    const outcomes = Array.from({ length: 400 }, () =>
      lane.write(text('x'.repeat(4000))).then(
        () => 'written',
        (error: AgentError) => error.code,
      ),
    )
    await clock.settle()
    appender.stop(new Error('enough'))
    expect(
      (await Promise.all(outcomes)).filter((outcome) => outcome === 'buffer_full').length,
    ).toBeGreaterThan(50)
  })

  test('once stopped, nothing is sent, and whoever waits hears why', async () => {
    const { clock, sent, appender } = setup('hold')
    const lane = appender.lane()
    await lane.write(text('a'))
    const flushed = appender.flush()
    await lane.write(text('b'))
    const stop = new Error('stopped')
    appender.stop(stop)
    appender.stop(new Error('again'))
    await expect(flushed).rejects.toBe(stop)
    await expect(lane.write(text('c'))).rejects.toBe(stop)
    await clock.advance(60_000)
    expect(sent).toHaveLength(1)
    expect(clock.timers).toBe(0)
  })
})
