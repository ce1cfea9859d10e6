// What a browser downloads for each published subpath: bundled, minified, gzipped, and its limits.
import { existsSync } from 'node:fs'
import { bundleSize } from './bundle-size.ts'

interface Limit {
  readonly name: string
  readonly entry: string
  readonly beyond?: string
  readonly maxBytes: number
  readonly laterBytes: number
}

const limits: readonly Limit[] = [
  { name: 'heldline/agent', entry: 'src/agent/index.ts', maxBytes: 14_000, laterBytes: 7_000 },
  { name: 'heldline/client', entry: 'src/client/index.ts', maxBytes: 15_000, laterBytes: 7_000 },
  // With the client in it, and without React itself.
  { name: 'heldline/react', entry: 'src/react/index.ts', maxBytes: 17_000, laterBytes: 7_000 },
  // Beyond the client, which it builds on. To send, to stream, to resume and to load text take what comes first alone.
  {
    name: 'heldline/ai-sdk',
    entry: 'src/adapters/ai-sdk/index.ts',
    beyond: 'src/client/index.ts',
    maxBytes: 4_000,
    laterBytes: 5_300,
  },
  { name: 'heldline/protocol', entry: 'src/protocol/index.ts', maxBytes: 17_400, laterBytes: 0 },
]

let tooLarge = false
for (const { name, entry, beyond, maxBytes, laterBytes } of limits) {
  if (!existsSync(entry)) {
    console.error(`${name}: there is no ${entry}`)
    tooLarge = true
    continue
  }
  const whole = await bundleSize(process.cwd(), entry)
  const base = beyond === undefined ? null : await bundleSize(process.cwd(), beyond)
  const initial = whole.initial - (base?.initial ?? 0)
  const onDemand = whole.onDemand - (base?.onDemand ?? 0)
  const later = laterBytes === 0 ? '' : `; on demand ${onDemand} more, limit ${laterBytes}`
  const what = beyond === undefined ? name : `${name}, beyond ${beyond}`
  console.log(`${what}: ${initial} bytes, limit ${maxBytes}${later}`)
  tooLarge ||= initial > maxBytes || onDemand > laterBytes
}
process.exitCode = tooLarge ? 1 : 0
