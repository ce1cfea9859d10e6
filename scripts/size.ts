// What a browser downloads for each published subpath: bundled, minified, gzipped, and its limit.
import { existsSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const limits = [
  { name: 'heldline/client', entry: 'src/client/index.ts', maxBytes: 15_000 },
  { name: 'heldline/protocol', entry: 'src/protocol/index.ts', maxBytes: 14_000 },
]

let tooLarge = false
for (const { name, entry, maxBytes } of limits) {
  if (!existsSync(entry)) {
    console.error(`${name}: there is no ${entry}`)
    tooLarge = true
    continue
  }
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    write: false,
  })
  const bytes = outputFiles.reduce((sum, file) => sum + gzipSync(file.contents).length, 0)
  console.log(`${name}: ${bytes} bytes, limit ${maxBytes}`)
  tooLarge ||= bytes > maxBytes
}
process.exitCode = tooLarge ? 1 : 0
