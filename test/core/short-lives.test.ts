import { expect, test } from 'vitest'
import type { StoredEvent } from '../../src/core/store.ts'
import { encodeEvent } from '../../src/protocol/codec.ts'
import type { Tag } from '../../src/protocol/ids.ts'
import { growthOver } from '../support/young-heap.ts'
import { followedFeed } from './followed-feed.ts'

const STEPS = 2000
const TEXT_BYTES = 2000

test('what has gone to a reader is gone with the next small collection of garbage', async () => {
  const { feed, world } = await followedFeed()
  let delivered = 0
  feed.open(
    {
      ready: () => true,
      deliver: ({ events, frame }) => {
        delivered += events.length
        expect(frame.text.length).toBeGreaterThan(TEXT_BYTES)
      },
      reset: () => expect.fail('a reset'),
      gone: () => expect.fail('gone'),
      failed: () => expect.fail('failed'),
    },
    feed.head,
  )
  const growth = await growthOver(STEPS, async () => {
    const { epoch } = feed.head
    const event = after(feed.head)
    feed.wake({
      kind: 'committed',
      epoch,
      first: event.serial,
      last: event.serial,
      events: [event],
    })
    await world.clock.settle()
  })
  expect(delivered).toBe(STEPS * 1.25)
  // Each event is a text, a part of a frame, and objects.
  expect(growth).toBeLessThan((STEPS * TEXT_BYTES) / 4)
})

function after({ serial, tag: prev }: { readonly serial: number; readonly tag: Tag }): StoredEvent {
  const head = {
    serial: serial + 1,
    tag: String(serial + 1).padStart(8, '0') as Tag,
    prev,
    at: 1_790_000_000_000,
  }
  const body = `"type":"x.a","id":"${serial}","by":{"subject":"a"},"data":"${'y'.repeat(TEXT_BYTES)}"}`
  return { ...head, text: encodeEvent(head, body) }
}
