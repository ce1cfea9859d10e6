import { expect, it, vi } from 'vitest'
import { newClient } from '../../src/store/redis/connect.ts'
import { Link, type Command } from '../../src/store/redis/link.ts'
import { server } from '../support/redis-case.ts'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/*
 * What a pipeline of ioredis keeps until the next full collection of garbage (docs/decisions/0013) cannot be told here by the size of the heap, as
 * test/core/short-lives.test.ts does: at the pace of a test, what is sent by `call` lives as long.
 */
it('commands to one Redis go together, and without a pipeline of ioredis', async () => {
  const { url } = await server()
  const client = newClient({ url }, 'short-lives')
  const link = new Link(client, 'commits', silent)
  try {
    await link.connect()
    const pipelines = [vi.spyOn(client, 'pipeline'), vi.spyOn(client, 'multi')]
    const texts = ['one', 'two', 'three']
    const replies = await link.send(texts.map((text): Command => ['echo', text]))
    expect(replies).toEqual(texts.map((value) => ({ value })))
    expect(await link.one(['echo', 'alone'])).toEqual({ value: 'alone' })
    for (const made of pipelines) expect(made).not.toHaveBeenCalled()
  } finally {
    link.close()
  }
})
