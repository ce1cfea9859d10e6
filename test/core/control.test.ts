import { describe, expect, test, vi } from 'vitest'
import { Control } from '../../src/core/control.ts'
import { demandAppend } from '../../src/core/append-rights.ts'
import type { Grant } from '../../src/core/access.ts'
import type { Draft } from '../../src/core/new-event.ts'
import { FIELD } from '../../src/core/record.ts'
import type { Capability } from '../../src/protocol/capabilities.ts'
import { begun, delta, done, open, spoken } from './run-kit.ts'
import { drafted, grant, refusal, SESSION } from './world.ts'

const HOUR_MS = 3_600_000

async function openControlled() {
  const opened = await open()
  const { world, node } = opened
  const control = new Control({ store: world.store, random: world.random, keeper: node.keeper })
  const say = async (who: Grant, ...drafts: Draft[]) =>
    node.sessions.append({
      session: SESSION,
      by: { subject: who.subject },
      drafts: demandAppend(who, SESSION, drafts),
    })
  const take = (who: Grant, wish: Parameters<Control['take']>[2] = {}) =>
    control.take(SESSION, who, wish)
  const release = (who: Grant) => control.release(SESSION, who)
  return { ...opened, say, take, release }
}

const can = (subject: string, kind: Grant['kind'], ...capabilities: Capability[]): Grant =>
  grant({ subject, kind, capabilities: new Set(capabilities) })
const boss = can('boss', 'supervisor', 'subscribe', 'history', 'control')
const ann = can('ann', 'human', 'subscribe', 'send')
const agent = can('key:test', 'agent', 'publish')

const asked = (message: string) =>
  drafted('message.completed', { message, role: 'user', parts: [] })

describe('[P-14.1] taking control', () => {
  test('[R20] what runs are saying is interrupted, and they think on', async () => {
    const { start, append, take, story, status, world } = await openControlled()
    await start()
    await start({ run: 'r2' })
    await append([begun('m1'), delta('m1')])
    await append([begun('m2')])
    expect(await status()).toBe('1 streaming')
    expect(await take(boss)).toEqual({
      controller: { subject: 'boss', kind: 'supervisor' },
      taken: true,
    })
    expect((await story()).slice(-4)).toEqual([
      'message.completed interrupted',
      'message.completed interrupted',
      'run.status thinking',
      'control.taken',
    ])
    expect(await status()).toBe('1 thinking')
    expect(await world.field(FIELD.runOpen('r1'))).toBeNull()
    expect(await take(boss)).toMatchObject({ taken: false })
  })

  test('a message that somebody else has completed is not completed again', async () => {
    const { start, append, say, take, story } = await openControlled()
    await start()
    await append([begun('m1')])
    await say(agent, done('m1'))
    await take(boss)
    expect((await story()).slice(-2)).toEqual(['message.completed', 'control.taken'])
  })

  test('[R20] a run that begins, and speaks, just before the takeover is interrupted, too', async () => {
    const { world, start, append, take, story } = await openControlled()
    const commit = vi.spyOn(world.store, 'commit')
    commit.mockImplementationOnce(async (request) => {
      commit.mockRestore()
      await start()
      await append([begun('m1')])
      return world.store.commit(request)
    })
    await take(boss)
    expect((await story()).slice(-2)).toEqual(['message.completed interrupted', 'control.taken'])
  })

  test('[R20] another’s control is taken only by force, and released by its owner or who manages', async () => {
    const { take, release } = await openControlled()
    const other = can('other', 'human', 'control')
    await take(boss)
    const late = take(other)
    await expect(late).rejects.toMatchObject({ code: 'control_taken', facts: { subject: 'boss' } })
    expect(await refusal(release(other))).toBe('not_controller')
    expect(await take(other, { force: true })).toMatchObject({ taken: true })
    expect(await refusal(release(boss))).toBe('not_controller')
    expect(await release(can('root', 'any', 'manage'))).toBe(true)
    expect(await release(other)).toBe(false)
  })

  test('a controller is what its credentials say; a server says it, and a member is the subject’s own', async () => {
    const { node, take, release } = await openControlled()
    const key = can('key:a', 'any', 'control', 'presence')
    expect(await refusal(take(boss, { kind: 'human' }))).toBe('forbidden')
    expect((await take(key)).controller.kind).toBe('supervisor')
    await release(key)
    expect(await refusal(take(key, { member: 'tab-1' }))).toBe('forbidden')
    await node.presence.enter(SESSION, { member: 'tab-1', kind: 'human' }, key, 'c1')
    expect((await take(key, { kind: 'human', member: 'tab-1' })).controller).toEqual({
      subject: 'key:a',
      kind: 'human',
      member: 'tab-1',
    })
  })

  test('a closed session has no controller to come', async () => {
    const { node, take } = await openControlled()
    await node.sessions.close({ session: SESSION, by: { subject: 'ann' } })
    expect(await refusal(take(boss))).toBe('session_closed')
  })
})

describe('[P-14.1] while somebody has control', () => {
  test.each([
    ['a message', [begun('m2')]],
    ['a whole message', [spoken('m2')]],
    ['a delta', [delta('m1')]],
    ['a completion', [done('m1')]],
    ['a replacement', [drafted('message.replaced', { message: 'm1', parts: [] })]],
    ['a deletion', [drafted('message.deleted', { message: 'm1' })]],
    ['a system message', [drafted('message.started', { message: 'm2', role: 'system' })]],
    ['anything beside a message', [drafted('x.a'), begun('m2')]],
  ])('[R20] %s of an agent is refused, in a run or not', async (_, drafts) => {
    const { start, append, say, take, world } = await openControlled()
    await start()
    await say(agent, begun('m1'))
    await take(boss)
    const before = (await world.log()).length
    expect(await refusal(append(drafts))).toBe('not_controller')
    expect(await refusal(say(agent, ...drafts))).toBe('not_controller')
    expect(await world.log()).toHaveLength(before)
  })

  test('[R20] runs go on with everything else, and people with their own messages', async () => {
    const { start, append, beat, report, finish, say, take } = await openControlled()
    await start()
    await take(boss)
    await append([drafted('x.tool', { rows: 3 })])
    expect(await beat()).toMatchObject({ live: true })
    await report({ step: 'reading' })
    await say(ann, asked('u1'))
    await say(agent, asked('u2'), drafted('message.started', { message: 'u3', role: 'user' }))
    expect(await finish()).toBe('finished')
  })

  test('nobody changes a message that is there by calling it the user’s', async () => {
    const { say, take, world } = await openControlled()
    await say(agent, begun('m1'))
    await take(boss)
    expect(await refusal(say(agent, asked('m1')))).toBe('message_exists')
    expect((await world.types()).at(-1)).toBe('control.taken')
  })

  test('[P-2.5] what a retry brings again is answered even then', async () => {
    const { say, take } = await openControlled()
    const draft = drafted('message.started', { message: 'm1', role: 'assistant' }, 'e1')
    const first = await say(agent, draft)
    await take(boss)
    expect(await say(agent, draft)).toMatchObject({ serials: first.serials, duplicates: 1 })
  })

  test('[R20] a person’s runs are not the person: those of the same credentials are silent, but an agent that has control speaks in its run', async () => {
    const { start, append, take, release } = await openControlled()
    const key = can('key:test', 'any', 'publish', 'control')
    await start()
    await take(key, { kind: 'human' })
    expect(await refusal(append([begun('m1')]))).toBe('not_controller')
    await release(key)
    await take(key, { kind: 'agent' })
    await append([begun('m1'), delta('m1')])
  })
})

describe('[P-14.2] the controller', () => {
  test('[S3-06] speaks as the assistant with no other right than control, and only while it has it', async () => {
    const { say, take, release, story } = await openControlled()
    expect(await refusal(say(boss, spoken('m1')))).toBe('not_controller')
    await take(boss)
    await say(boss, begun('m1'), delta('m1'))
    await say(boss, done('m1'))
    expect(await refusal(say(boss, drafted('message.deleted', { message: 'm1' })))).toBe(
      'forbidden',
    )
    expect(await refusal(say(boss, drafted('x.a')))).toBe('forbidden')
    await release(boss)
    expect(await refusal(say(boss, spoken('m2')))).toBe('not_controller')
    expect((await story()).slice(-4)).toEqual([
      'message.started',
      'message.delta',
      'message.completed',
      'control.released',
    ])
  })

  test('with send, says its own words without control, too', async () => {
    const { say } = await openControlled()
    const both = can('boss', 'supervisor', 'send', 'control')
    await say(both, asked('u1'), drafted('x.a'))
    expect(await refusal(say(both, spoken('m1')))).toBe('not_controller')
  })
})

test('[S4-20] [S3-06] [R20] a supervisor joins six hours later, reads everything unseen, takes over, and hands back after hours', async () => {
  const { world, node, clock, start, append, beat, say, take, release } = await openControlled()
  await start({ leaseMs: 24 * HOUR_MS })
  await say(ann, asked('u1'))
  await append([begun('m1'), delta('m1', 'Let me see')])
  await clock.advance(6 * HOUR_MS)

  const socket = node.connect(boss)
  await clock.settle()
  socket.ask({ op: 'attach', session: SESSION })
  await clock.settle()
  const [snapshot] = socket.all('snapshot')
  expect(snapshot?.messages.map(({ id }) => id)).toEqual(['u1', 'm1'])
  expect(snapshot?.rest?.runs).toMatchObject([{ id: 'r1', status: 'streaming' }])
  // Nobody sees them watch.
  expect((await world.types()).filter((type) => type.startsWith('member.'))).toEqual([])

  await take(boss)
  expect(await refusal(append([delta('m1', ' …')]))).toBe('not_controller')
  expect(await refusal(append([begun('m2')]))).toBe('not_controller')
  expect(await beat()).toMatchObject({ live: true, status: 'thinking' })
  const spoke = socket.ask({
    op: 'publish',
    session: SESSION,
    events: [
      {
        type: 'message.completed',
        data: { message: 'b1', role: 'assistant', parts: [{ type: 'text', text: 'I take over.' }] },
      },
    ],
  })
  await clock.settle()
  expect(socket.answers(spoke)).toMatchObject([{ type: 'ack' }])
  await say(ann, asked('u2'))

  await clock.advance(3 * HOUR_MS)
  await release(boss)
  await append([begun('m3'), delta('m3', 'Where were we?')])
  const view = await world.node().views.at(SESSION)
  expect([...view.messages.values()].map(({ id, status, by }) => [id, status, by])).toEqual([
    ['u1', 'completed', 'ann'],
    ['m1', 'interrupted', 'key:test'],
    ['b1', 'completed', 'boss'],
    ['u2', 'completed', 'ann'],
    ['m3', 'open', 'key:test'],
  ])
  expect(view.controller).toBeNull()
  expect(view.runs.get('r1')).toMatchObject({ status: 'streaming', epoch: 1 })
})

test('a plain append of messages still costs one round trip', async () => {
  const { world, say } = await openControlled()
  const reads = vi.spyOn(world.store, 'fields')
  const commits = vi.spyOn(world.store, 'commit')
  await say(agent, begun('m1'), delta('m1'))
  expect([reads.mock.calls.length, commits.mock.calls.length]).toEqual([0, 1])
})
