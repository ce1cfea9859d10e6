import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bundleSize } from '../../scripts/bundle-size.ts'

const root = join(import.meta.dirname, '../..')

test('with React’s part it is at most 17 kB, and React is not brought along', async () => {
  const { initial, sources } = await bundleSize(root, 'src/react/index.ts')
  expect(sources.filter((file) => !/^src\/(client|protocol|react|sdk)\//.test(file))).toEqual([])
  expect(initial).toBeLessThanOrEqual(17_000)
})

test('a page downloads at most 15 kB to begin with, minified and compressed; nothing is brought along', async () => {
  const { initial, onDemand, sources } = await bundleSize(root, 'src/client/index.ts')
  expect(sources.filter((file) => !/^src\/(client|sdk|protocol)\//.test(file))).toEqual([])
  expect(initial).toBeLessThanOrEqual(15_000)
  // What only requests need comes when it is needed.
  expect(onDemand).toBeGreaterThan(2_000)
})
