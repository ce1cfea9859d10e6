import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { startAgentProcess } from '../support/agent-process.ts'
import { startCountingServer } from '../support/counting-server.ts'
import { startRedis, type RedisServer } from '../support/redis-server.ts'
import {
  API_KEY,
  startServerProcess,
  warmUp,
  type ServerProcess,
} from '../support/server-process.ts'

/** Where the agent is killed, and what the next process is told of the effect then. */
const POINTS = [
  ['before', 'done'],
  ['reserved', 'unknown'],
  ['during', 'unknown'],
  ['called', 'unknown'],
  ['recorded', 'done'],
] as const
type Point = (typeof POINTS)[number][0]
const TOOLS = ['card', 'mail'] as const
type Tool = (typeof TOOLS)[number]

const cases = TOOLS.flatMap((tool) => POINTS.map(([point, told]) => [tool, point, told] as const))

beforeAll(warmUp)

describe.each(['SQLite', 'Redis'])('an agent that is killed around an effect, on %s', (name) => {
  let redis: RedisServer | undefined
  let server: ServerProcess
  beforeAll(async () => {
    redis = name === 'Redis' ? await startRedis() : undefined
    server = await startServerProcess(redis === undefined ? {} : { REDIS_URL: redis.url })
  })
  afterAll(async () => {
    await server?.stop()
    await redis?.stop()
  })

  test.each(cases)(
    '[R8] [R9] [S0-22] [P-13.3] of %s, at the point “%s”: the next process comes to %s, and in the end it has happened once',
    async (tool, point, told) => {
      const scene = await Scene.open(server, `s-${tool}-${point}`)
      await scene.kill(tool, point)
      const worldly = scene.count(tool)
      expect(worldly).toBe(point === 'before' || point === 'reserved' ? 0 : 1)

      const said = await scene.run()
      expect(said.find((one) => one.tool === tool)).toMatchObject({ status: told })
      // Never by itself a second time.
      expect(scene.count(tool)).toBe(told === 'unknown' ? worldly : 1)

      if (told === 'unknown') {
        const effect = String(said.find((one) => one.tool === tool)?.effect)
        expect(await scene.open()).toMatchObject([{ id: effect, tool, status: 'unknown' }])
        // Somebody looks at the card’s statement, and decides.
        await scene.decide(
          effect,
          worldly === 0 ? { outcome: 'retry' } : { outcome: 'done', result: 1 },
        )
        const last = await scene.run()
        expect(last.map(({ status }) => status)).toEqual(['done', 'done'])
      }
      expect([scene.count('card'), scene.count('mail')]).toEqual([1, 1])
      expect(await scene.open()).toEqual([])
    },
    60_000,
  )

  test('[S0-22] the server is killed too, and what was reserved is remembered', async () => {
    const scene = await Scene.open(server, 's-both')
    await scene.kill('card', 'called', () => server.restart())
    expect((await scene.run())[0]).toMatchObject({ tool: 'card', status: 'unknown' })
    expect(scene.count('card')).toBe(1)
  }, 60_000)
})

type World = Readonly<Record<Tool, Awaited<ReturnType<typeof startCountingServer>>>>

/** One session, and the world that its agents act upon. */
class Scene {
  readonly #server: ServerProcess
  readonly #session: string
  readonly #world: World

  private constructor(server: ServerProcess, session: string, world: World) {
    this.#server = server
    this.#session = session
    this.#world = world
  }

  static async open(server: ServerProcess, session: string): Promise<Scene> {
    const world = { card: await startCountingServer(), mail: await startCountingServer() }
    onTestFinished(async () => {
      await world.card.close()
      await world.mail.close()
    })
    const scene = new Scene(server, session, world)
    await scene.#ask('PUT', '')
    return scene
  }

  count(tool: Tool): number {
    return this.#world[tool].done.length
  }

  /** Starts an agent, and kills it where it is at that point. */
  async kill(tool: Tool, point: Point, meanwhile?: () => Promise<void>): Promise<void> {
    const world = this.#world[tool]
    world.hold(point === 'during')
    const agent = this.#agent(`${tool}:${point}`)
    onTestFinished(() => agent.kill())
    const there = (): boolean =>
      point === 'during' ? world.done.length > 0 : agent.said.some(({ at }) => at !== undefined)
    await agent.until(`the agent is at ${point}`, there)
    expect(there()).toBe(true)
    await meanwhile?.()
    await agent.kill()
    world.hold(false)
  }

  /** Lets a new process do all of it, to its end. @returns what it says of each tool */
  async run() {
    const agent = this.#agent('')
    onTestFinished(() => agent.kill())
    return agent.done()
  }

  /** Those that are reserved or unknown. */
  async open(): Promise<unknown> {
    return (await this.#ask('GET', '/effects'))['effects']
  }

  async decide(effect: string, decision: object): Promise<void> {
    await this.#ask('POST', `/effects/${effect}/decide`, decision)
  }

  #agent(hold: string) {
    return startAgentProcess({
      URL: this.#server.url,
      KEY: API_KEY,
      SESSION: this.#session,
      CARD: this.#world.card.url,
      MAIL: this.#world.mail.url,
      HOLD: hold,
    })
  }

  async #ask(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#server.url}/v1/sessions/${this.#session}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${API_KEY}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const content = (await response.json()) as Record<string, unknown>
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(content)}`)
    return content
  }
}
