import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CommitRequest, CommitResult, Store } from '../../../src/core/store.ts'
import type { SessionId } from '../../../src/protocol/ids.ts'
import { LocalSignals } from '../../../src/store/local-signals.ts'
import { MemoryStore } from '../../../src/store/memory.ts'
import type { OpenStore } from '../store.ts'
import { commandsOf, type Command, type CommitCommand } from './commands.ts'
import { newSession } from './kit.ts'

/** `CONTRACT_SEED` and `CONTRACT_PATH` replay a failure with what it printed; `CONTRACT_RUNS` asks for more runs. */
const setting = (name: string): number | undefined =>
  process.env[name] === undefined ? undefined : Number(process.env[name])

/** Any sequence of commands has the same answers as memory's, but for times. */
export function describeModel(open: OpenStore): void {
  describe('any sequence of commands', () => {
    it('has the answers that the specification gives', { timeout: 120_000 }, async () => {
      const opened = await open()
      const seed = setting('CONTRACT_SEED')
      const path = process.env['CONTRACT_PATH']
      try {
        await fc.assert(
          fc.asyncProperty(commandsOf(40), (commands) => compare(opened.store, commands)),
          {
            numRuns: setting('CONTRACT_RUNS') ?? 60,
            ...(seed !== undefined && { seed }),
            ...(path !== undefined && { path }),
          },
        )
      } finally {
        await opened.close()
      }
    })
  })
}

async function compare(store: Store, commands: readonly Command[]): Promise<void> {
  const model = new MemoryStore(new LocalSignals(), Date.now)
  const names = ['a', 'b', 'c'].map((name) => newSession(`model-${name}`))
  try {
    for (const [step, command] of commands.entries()) {
      const [real, wanted] = await Promise.all([
        run(store, command, names),
        run(model, command, names),
      ])
      expect(real, `step ${step}: ${JSON.stringify(command)}`).toEqual(wanted)
    }
  } finally {
    await Promise.all(names.map((session) => store.remove(session)))
  }
}

/** Runs one command and gives its answer without times. */
async function run(
  store: Store,
  command: Command,
  names: readonly SessionId[],
): Promise<object | boolean | null> {
  // An index of the commands is always below the number of sessions.
  const session = names['session' in command ? command.session : 0] as SessionId
  switch (command.kind) {
    case 'commit':
      return answerOf(await store.commit(await requestOf(store, session, command)))
    case 'together':
      return Promise.all(
        command.commits.map(async (one, index) => {
          const own = names[index] as SessionId
          return answerOf(await store.commit(await requestOf(store, own, one)))
        }),
      )
    case 'read':
      return pageOf(await store.read(session, command))
    case 'trim':
      return store.trim(session, { ...command, maxAgeMs: null })
    case 'remove':
      return store.remove(session, await guardOf(store, session, command.guard))
    case 'look':
      break
  }
  return {
    heads: await store.heads(names),
    fields: await store.fields(session, command.fields),
    listed: await listOf(store, names, command.fields),
    due: await dueOf(store, names),
  }
}

/** `current` guards hold, whatever the store's clock said; `never` ones do not. */
async function guardOf(store: Store, session: SessionId, kind: 'current' | 'never' | 'none') {
  if (kind === 'none') return undefined
  if (kind === 'never') return { deadline: 'd', at: 1 }
  const asked = await store.commit({ session, guards: [{ deadline: 'd', at: 1 }] })
  const at = asked.outcome === 'conflict' ? (asked.deadlines.get('d') ?? null) : null
  return { deadline: 'd', at }
}

async function requestOf(
  store: Store,
  session: SessionId,
  command: CommitCommand,
): Promise<CommitRequest> {
  const guard = await guardOf(store, session, command.deadlineGuard)
  const guards = [...command.guards, ...(guard === undefined ? [] : [guard])]
  const { create, producer, events, writes, deadlines } = command
  return {
    session,
    guards,
    events,
    writes,
    deadlines,
    ...(create !== null && { create: { epoch: create } }),
    ...(producer !== null &&
      events.length > 0 && { producer: { ...producer, count: events.length } }),
  }
}

function answerOf(result: CommitResult): object {
  if (result.outcome === 'committed') return { ...result, at: 'some time' }
  if (result.outcome !== 'conflict') return result
  const set = [...result.deadlines].map(([name, at]) => [name, at === null ? 'unset' : 'set'])
  return { ...result, deadlines: new Map(set as [string, string][]) }
}

function pageOf(page: Awaited<ReturnType<Store['read']>>): object | null {
  if (page === null) return null
  const events = page.events.map((event) => ({
    ...event,
    at: 'some time',
    text: event.text.replace(`"at":${event.at}`, '"at":0'),
  }))
  return { ...page, events }
}

async function listOf(store: Store, names: readonly SessionId[], fields: readonly string[]) {
  const pages = await Promise.all(
    names.map((prefix) => store.list({ cursor: null, limit: 10, prefix, fields })),
  )
  return pages.map(({ sessions }) => sessions)
}

async function dueOf(store: Store, names: readonly SessionId[]): Promise<string[]> {
  const due = await store.due(1000)
  return due
    .filter(({ session }) => names.includes(session))
    .map(({ session, deadline }) => `${session} ${deadline}`)
    .toSorted()
}
