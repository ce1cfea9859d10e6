import { onTestFinished } from 'vitest'
import { Client, type ClientPorts } from '../../../src/client/client.ts'
import { Credentials, type Secret } from '../../../src/client/credentials.ts'
import type { Fetch } from '../../../src/client/http.ts'
import { HttpLater, type Requests } from '../../../src/client/http-later.ts'
import * as code from '../../../src/client/over-http.ts'
import { FakeClock } from './fake-clock.ts'
import { FakePage } from './fake-page.ts'
import { FakeStorage } from './fake-storage.ts'
import { ModelServer } from './model-server.ts'

export interface World {
  readonly clock: FakeClock
  readonly page: FakePage
  readonly server: ModelServer
  readonly local: FakeStorage
  readonly tab: FakeStorage
  /** A client of this world: another tab, or the same one after a reload. */
  readonly open: (options?: WorldOptions) => Client
}

export interface WorldOptions {
  readonly token?: Secret
  readonly transport?: ClientPorts['transport']
  readonly random?: () => number
  readonly fetch?: Fetch
  readonly tab?: FakeStorage
  readonly credentials?: Credentials
  readonly http?: Requests
  readonly open?: ClientPorts['open']
}

const noFetch: Fetch = () => Promise.reject(new Error('nothing is to be fetched in this test'))

/** Everything that a client touches, and that the test holds in its hands. Clients are closed when the test ends. */
export function makeWorld(): World {
  const clock = new FakeClock()
  const page = new FakePage()
  const server = new ModelServer(clock)
  const local = new FakeStorage()
  const tab = new FakeStorage()
  return {
    clock,
    page,
    server,
    local,
    tab,
    open: (options = {}) => {
      const credentials = options.credentials ?? new Credentials(clock, options.token, undefined)
      const fetch = options.fetch ?? noFetch
      const client = new Client({
        clock,
        page,
        credentials,
        random: options.random ?? (() => 0.5),
        storages: { local, tab: options.tab ?? tab },
        namespace: 'heldline',
        http:
          options.http ??
          new HttpLater(
            { base: 'http://held', share: null, fetch, credentials, clock, random: () => 0.5 },
            () => Promise.resolve(code),
          ),
        open: options.open ?? server.open,
        transport: options.transport ?? 'auto',
      })
      onTestFinished(() => client.close())
      return client
    },
  }
}
