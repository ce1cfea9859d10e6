// What a browser downloads for each published subpath: bundled, minified, gzipped, and its limits.
import { existsSync } from 'node:fs'
import { bundleSize } from './bundle-size.ts'

const limits = [
  { name: 'heldline/agent', entry: 'src/agent/index.ts', maxBytes: 14_000, laterBytes: 7_000 },
  { name: 'heldline/client', entry: 'src/client/index.ts', maxBytes: 15_000, laterBytes: 6_500 },
  // With the client in it, and without React itself.
  { name: 'heldline/react', entry: 'src/react/index.ts', maxBytes: 17_000, laterBytes: 6_500 },
  { name: 'heldline/protocol', entry: 'src/protocol/index.ts', maxBytes: 17_400, laterBytes: 0 },
]

let tooLarge = false
for (const { name, entry, maxBytes, laterBytes } of limits) {
  if (!existsSync(entry)) {
    console.error(`${name}: there is no ${entry}`)
    tooLarge = true
    continue
  }
  const { initial, onDemand } = await bundleSize(process.cwd(), entry)
  const later = laterBytes === 0 ? '' : `; on demand ${onDemand} more, limit ${laterBytes}`
  console.log(`${name}: ${initial} bytes, limit ${maxBytes}${later}`)
  tooLarge ||= initial > maxBytes || onDemand > laterBytes
}
process.exitCode = tooLarge ? 1 : 0
