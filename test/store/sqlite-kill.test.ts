import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/core/store.ts'
import { event, expectChain, headOf, readAll } from '../contract/store/kit.ts'
import { newFolder, openStore } from './sqlite-folder.ts'
import type { Told } from './sqlite-storm.ts'

const STORM = fileURLToPath(new URL('./sqlite-storm.ts', import.meta.url))

/** Lets a process storm the folder until it has been told of so many commits, then kills it. */
async function stormUntil(folder: string, round: number, answered: number): Promise<Told[]> {
  const args = ['--no-warnings', STORM, folder, String(round)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const told: Told[] = []
  const exited = once(child, 'exit')
  for await (const line of createInterface({ input: child.stdout })) {
    // Lines of our own process; one that the kill cut short is not JSON, and was not told.
    if (!line.endsWith('}')) continue
    const fact = JSON.parse(line) as Told | { readonly opening: true }
    if ('id' in fact) told.push(fact)
    if (told.length >= answered) child.kill('SIGKILL')
  }
  const [, signal] = (await exited) as [number | null, string | null]
  expect(signal).toBe('SIGKILL')
  return told
}

/** Each commit that was answered is there, once, and known to a retry. */
async function expectKept(store: Store, told: readonly Told[]): Promise<void> {
  for (const session of new Set(told.map((fact) => fact.session))) {
    const log = await readAll(store, session)
    expectChain(log, await headOf(store, session))
    const ids = log.flatMap(({ text }) => /"id":"(\d+-\d+-\d+)"/.exec(text)?.[1] ?? [])
    expect(ids).toHaveLength(new Set(ids).size)
    const kept = told.filter((fact) => fact.session === session)
    expect(kept.map(({ serial }) => log[serial - 1]?.tag)).toEqual(kept.map(({ tag }) => tag))
    expect(kept.every(({ serial, id }) => log[serial - 1]?.text.includes(`"id":"${id}"`))).toBe(
      true,
    )
  }
  const last = told.at(-1) as Told
  const again = await store.commit({ session: last.session, events: [event('1', last.id)] })
  expect(again).toMatchObject({
    outcome: 'duplicate',
    known: [{ id: last.id, serial: last.serial }],
  })
}

describe('SQLite after kill -9', () => {
  it(
    'has every commit that was answered, once, in an unbroken chain',
    { timeout: 60_000 },
    async () => {
      const folder = newFolder()
      const told: Told[] = []
      for (const [round, answered] of [0, 1, 700, 1500, 60, 2500].entries()) {
        told.push(...(await stormUntil(folder, round + 1, answered)))
        const store = await openStore(folder)
        if (told.length > 0) await expectKept(store, told)
        await store.close()
      }
      expect(told.length).toBeGreaterThan(4000)
    },
  )

  it('leaves the folder free for the next server', async () => {
    const folder = newFolder()
    await stormUntil(folder, 1, 1)
    const store = await openStore(folder)
    expect(await store.check()).toMatchObject({ ok: true })
  })
})
