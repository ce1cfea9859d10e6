import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { breachesOf, isTest, owners, places } from './architecture/check.ts'
import { importsOf, tokenize } from './architecture/source.ts'

interface Package {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
}

const root = join(import.meta.dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Package
const published = new Set(
  Object.values(manifest.exports)
    .map((target) => (typeof target === 'string' ? target : target.default))
    .filter((target) => target.startsWith('./dist/'))
    .map((target) => target.replace('./dist/', '').replace(/\.js$/, '.ts')),
)

describe('the sources', () => {
  test('every file of src keeps to the import table', () => {
    const files = globSync('**/*.{ts,tsx,mts,cts}', { cwd: join(root, 'src') })
    expect(files.length).toBeGreaterThan(0)
    const breaches = files.flatMap((file) =>
      breachesOf(file.replaceAll('\\', '/'), readFileSync(join(root, 'src', file), 'utf8'), {
        published,
      }),
    )
    expect(breaches).toEqual([])
  })

  test('no file imports a test file', () => {
    const files = globSync('{src,test,scripts,bench,examples}/**/*.ts', { cwd: root }).filter(
      (file) => !file.includes('node_modules'),
    )
    expect(files.length).toBeGreaterThan(0)
    const guilty = files.filter((file) =>
      importsOf(tokenize(readFileSync(join(root, file), 'utf8'))).some(({ specifier }) =>
        specifier?.endsWith('.test.ts'),
      ),
    )
    expect(guilty).toEqual([])
  })

  test('every runtime dependency has one owner, and every owned package is a dependency', () => {
    const packages = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    expect(Object.keys(owners).toSorted()).toEqual(packages.toSorted())
    for (const { folder, reason } of Object.values(owners)) {
      expect(Object.keys(places)).toContain(folder.split('/')[0])
      expect(reason).not.toBe('')
    }
  })

  test('tsc is TypeScript 7', () => {
    const tsc = join(root, 'node_modules/.bin/tsc')
    expect(execFileSync(tsc, ['-v'], { encoding: 'utf8' })).toMatch(/^Version 7\./)
  })

  test('the lockfile names no registry', () => {
    const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
    expect(lock.match(/"resolved": "[a-z+]+:.*/g)).toBeNull()
  })
})

describe('the checker', () => {
  const check = (path: string, source: string): readonly string[] =>
    breachesOf(path, source, { published: new Set(['client/index.ts']) })

  test.each([
    ['core/a.ts', "import { x } from '../store/memory.ts'", 'core may import protocol'],
    ['core/a.ts', "import type { x } from '../store/memory.ts'", 'core may import protocol'],
    ['core/a.ts', "export { x } from '../http/a.ts'", 'core may import protocol'],
    ['core/a.ts', "export * from '../http/a.ts'", 'core may import protocol'],
    ['core/a.ts', "export type { X } from '../http/a.ts'", 'core may import protocol'],
    ['core/a.ts', "import '../http/a.ts'", 'core may import protocol'],
    ['core/a.ts', "const x = await import('../http/a.ts')", 'core may import protocol'],
    ['core/a.ts', "type X = import('../http/a.ts').X", 'core may import protocol'],
    ['core/a.ts', "import x, { y as z } from '../http/a.ts'", 'core may import protocol'],
    ['core/a.ts', "import {\n  x, // one\n  y,\n} from '../http/a.ts'", 'core may import protocol'],
    ['core/a.ts', "import x from '../config.ts'", 'core may import protocol'],
    ['core/transitions/a.ts', "import x from '../../auth/a.ts'", 'core may import protocol'],
    ['core/a.ts', 'const x = await import(name)', 'computed name'],
    ['core/a.ts', 'const x = await import(`../${name}.ts`)', 'computed name'],
    ['core/a.ts', "import { createHash } from 'node:crypto'", 'runs without Node'],
    ['core/a.ts', "import { readFileSync } from 'fs'", 'runs without Node'],
    ['core/a.ts', "import Redis from 'ioredis'", 'belongs to store/redis'],
    ['core/a.ts', "import type { WebSocket } from 'ws'", 'belongs to gateway'],
    ['core/a.ts', "import { z } from 'zod/mini'", 'belongs to protocol'],
    ['core/a.ts', 'const at = Date.now()', 'Clock port'],
    ['core/a.ts', 'const at = new Date()', 'Clock port'],
    ['core/a.ts', 'const at = new Date', 'Clock port'],
    ['core/a.ts', 'const at = Date()', 'Clock port'],
    ['core/a.ts', 'setTimeout(() => {}, 5)', 'Clock port'],
    ['core/a.ts', 'setInterval(tick, 5)', 'Clock port'],
    ['core/a.ts', 'const later = setImmediate', 'Clock port'],
    ['core/a.ts', 'globalThis.setTimeout(f)', 'every forbidden name'],
    ['core/a.ts', 'const x = Math.random()', 'Random port'],
    ['core/a.ts', 'const x = `${crypto.randomUUID()}`', 'Random port'],
    ['core/a.ts', 'const x = [...crypto.getRandomValues(bytes)]', 'Random port'],
    ['protocol/a.ts', "import x from '../core/a.ts'", 'may import nothing of ours'],
    ['protocol/a.ts', "import { z } from 'zod'", 'protocol uses zod/mini'],
    ['protocol/a.ts', "import { nanoid } from 'nanoid'", 'no owner'],
    ['store/redis/a.ts', "import x from '../sqlite/a.ts'", 'only store/open.ts'],
    ['store/redis/a.ts', "import x from '../memory.ts'", 'only store/open.ts'],
    ['store/memory.ts', "import x from './redis/a.ts'", 'only store/open.ts'],
    ['store/assign.ts', "import x from './sqlite/a.ts'", 'only store/open.ts'],
    ['store/sqlite/a.ts', "import Redis from 'ioredis'", 'belongs to store/redis'],
    ['store/sqlite/a.ts', "import fs from 'fs'", 'without node:'],
    ['http/a.ts', "import x from '../store/open.ts'", 'http may import'],
    ['gateway/a.ts', "import x from '../store/open.ts'", 'gateway may import'],
    ['console/a.ts', "import x from '../store/open.ts'", 'console may import'],
    ['compat/ably/a.ts', "import x from '../../store/open.ts'", 'compat may import'],
    ['client/a.ts', "import x from '../core/a.ts'", 'client may import'],
    ['agent/a.ts', "import x from '../http/a.ts'", 'agent may import'],
    ['react/a.ts', "import x from '../server.ts'", 'react may import'],
    ['adapters/ai-sdk/a.ts', "import x from '../../core/a.ts'", 'adapters may import'],
    ['client/a.ts', "import x from 'node:fs'", 'runs without Node'],
    ['core/index.ts', "export { x } from './a.ts'", 'barrel'],
    ['core/transitions/index.ts', "export * from './a.ts'", 'barrel'],
    ['server.ts', "import x from '../test/kit.ts'", 'nothing imports a test'],
    ['core/a.ts', "import x from './a.test.ts'", 'nothing imports a test'],
    ['server.ts', "import x from '../scripts/build.ts'", 'outside src'],
    ['http/a.ts', "import { describe } from 'vitest'", 'no owner'],
    ['helpers/a.ts', '', 'no row'],
    ['config.ts', "import x from './store/open.ts'", '. may import core, protocol, auth'],
    ['config.ts', "import x from './server.ts'", '. may import core, protocol, auth'],
    ['http/a.ts', "import x from '../config.ts'", 'http may import'],
    ['config.ts', "import fastify from 'fastify'", 'belongs to http'],
  ])('blames %s: %j', (path, source, reason) => {
    expect(check(path, source)).toEqual([expect.stringContaining(reason)])
  })

  test.each([
    ['core/a.ts', "import { x } from '../protocol/ids.ts'\nimport { y } from './b.ts'"],
    ['core/a.ts', "// import x from '../http/a.ts'\n/* import '../http/a.ts' */"],
    ['core/a.ts', 'const example = "import x from \'../http/a.ts\'"'],
    ['core/a.ts', "const example = `import x from '../http/a.ts' ${'}'} Date.now()`"],
    ['core/a.ts', "const quote = /['\"`/]/\nconst half = total / 2 // ' Date.now()"],
    ['core/a.ts', 'const at = clock.now(); const then = new Date(at)'],
    ['core/a.ts', 'ports.crypto.sign(); const ports = { setTimeout: 1 }'],
    ['core/a.ts', 'interface Options { readonly process: string; crypto?: boolean }'],
    ['core/a.ts', 'export { x }\nconst from = "../http/a.ts"'],
    ['protocol/a.ts', "import * as z from 'zod/mini'"],
    ['store/open.ts', "import x from './redis/a.ts'\nimport y from './memory.ts'"],
    ['store/redis/a.ts', "import Redis from 'ioredis'\nimport x from '../assign.ts'"],
    ['store/sqlite/a.ts', "import { DatabaseSync } from 'node:sqlite'"],
    ['gateway/a.ts', "import { WebSocketServer } from 'ws'\nimport x from '../observe/a.ts'"],
    ['adapters/ai-sdk/a.ts', "import { connect } from '../../client/connect.ts'"],
    ['client/index.ts', "export { connect } from './connect.ts'"],
    ['config.ts', "import x from './load-config.ts'\nimport { z } from 'zod'"],
    ['server.ts', "import x from './store/open.ts'\nimport y from './config.ts'"],
    ['server.ts', "import x from './store/open.ts'\nimport y from './http/a.ts'"],
  ])('leaves %s in peace: %j', (path, source) => {
    expect(check(path, source)).toEqual([])
  })

  test('names the line', () => {
    expect(check('core/a.ts', '/*\n\n*/\nconst a = `\n`\nDate.now()')).toEqual([
      'src/core/a.ts:6 uses Date.now; time is the Clock port',
    ])
  })

  test.each(["const x = 'a", 'const x = `a ${b', 'const x = `a', 'const x = [/(a'])(
    'refuses a text it cannot read: %j',
    (source) => {
      expect(() => tokenize(source)).toThrow('unable to read')
    },
  )

  test('knows a test when it sees one', () => {
    expect(['a.test.ts', 'a/b.redis.test.ts', '../test/kit.ts'].every(isTest)).toBe(true)
    expect(['contest/a.ts', 'latest.ts'].some(isTest)).toBe(false)
  })
})
