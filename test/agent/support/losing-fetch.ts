import type { Fetch } from '../../../src/agent/index.ts'
import { FakeRandom } from '../../support/fake-random.ts'

/** A network that loses requests, and answers to requests that were carried out: so many of each, as the seed has it. */
export function losing(seed: number, share: number): Fetch {
  const random = new FakeRandom(seed)
  return async (url, init) => {
    if (random.chance(share / 2)) throw new TypeError('fetch failed')
    const response = await fetch(url, init)
    if (random.chance(share / 2)) {
      await response.body?.cancel()
      throw new TypeError('terminated')
    }
    return response
  }
}

/** A network where something else answers in the place of the server, with a 200 of its own: so many of the requests, as the seed has it. */
export function answeredBySomethingElse(seed: number, share: number): Fetch {
  const random = new FakeRandom(seed)
  const bodies = ['', '<html>Welcome</html>', '{}', '"ok"']
  let answered = 0
  return async (url, init) =>
    random.chance(share) ? new Response(bodies[answered++ % bodies.length]) : fetch(url, init)
}
