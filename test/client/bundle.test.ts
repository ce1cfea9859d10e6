import { build } from 'esbuild'
import { gzipSync } from 'node:zlib'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const MAX_BYTES = 15_000

test('the client is at most 15 kB, minified and compressed, and brings nothing along', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(root, 'src/client/index.ts')],
    absWorkingDir: root,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    metafile: true,
  })
  const inputs = Object.keys(metafile.inputs)
  expect(inputs.filter((file) => !/^src\/(client|protocol)\//.test(file))).toEqual([])
  expect(gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length).toBeLessThanOrEqual(
    MAX_BYTES,
  )
})
