import { expect, test } from 'vitest'
import type { WireEvent } from '../../src/protocol/event.ts'
import { View } from '../../src/protocol/fold/view.ts'
import type { Epoch } from '../../src/protocol/ids.ts'
import { genesis } from '../../src/protocol/position.ts'

/** Folds events of runs, each of a type and its data, in order. */
function folder() {
  const view = new View(genesis('epochepoch' as Epoch))
  const tell = (type: string, data: object): void => {
    const { serial, tag } = view.position
    const event: WireEvent = {
      serial: serial + 1,
      tag: `t${String(serial + 1).padStart(7, '0')}`,
      prev: tag,
      at: serial,
      type,
      id: `e${serial}`,
      by: { subject: 'key:agent' },
      data,
    }
    expect(view.apply(event)).toBe(true)
  }
  const run = (id: string, output: string): void => {
    tell('run.started', { run: id, epoch: 1 })
    tell('run.finished', { run: id, output })
  }
  return { view, tell, run }
}

test('of many with large outputs the latest stay, 256 Ki characters together; what lives loses nothing [P-10.9]', () => {
  const { view, tell, run } = folder()
  const checkpoint = 'c'.repeat(60_000)
  tell('run.started', { run: 'live', epoch: 1, metadata: { a: 1 } })
  tell('run.status', { run: 'live', status: 'thinking', checkpoint })
  for (let i = 0; i < 50; i++) run(`r${i}`, `${i}`.padEnd(60_000, 'x'))
  expect([...view.runs.keys()]).toEqual(['live', 'r46', 'r47', 'r48', 'r49'])
  expect(view.runs.get('live')).toMatchObject({ checkpoint, metadata: { a: 1 } })
})

test('from a snapshot the same stay as from the start [P-3.1]', () => {
  const { view, run } = folder()
  for (let i = 0; i < 10; i++) run(`r${i}`, `${i}`.padEnd(30_000 + 9000 * i, 'x'))
  const later = folder()
  later.view.restore(view.position, [], JSON.parse(JSON.stringify(view.rest())))
  for (const one of [{ run }, later]) one.run('last', 'x'.repeat(65_000))
  expect(JSON.stringify(later.view.rest())).toBe(JSON.stringify(view.rest()))
})
