import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { preview } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchBrowser } from '../support/browser.ts'

const root = join(import.meta.dirname, '../..')
const bin = join(root, 'node_modules/.bin')
const run = promisify(execFile)
const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, NO_COLOR: '1' }

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
const entries = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => `heldline${path.slice(1)}`)

/** Its types are inferred: what they name has to be exported by what it imports. */
const LIBRARY = `
import type { AgentOptions, AgentSession, Run } from 'heldline/agent'
import type { ClientOptions, Session } from 'heldline/client'
import { useSession } from 'heldline/react'
export const agents = (session: AgentSession, run: Run, options: AgentOptions) =>
  [() => session.messages(), () => run.history(), () => run.takeInputs(), options.token] as const
export const sessions = (session: Session, options: ClientOptions) =>
  [session.view, session.members, session.runs, session.inputs, session.questions, session.sharedState, session.effects, session.deliveries, session.controller, options.token] as const
export const parts = (session: Session) => session.messages.map((message) => message.parts)
export const people = (session: Session) => (wish: Parameters<Session['presence']>[0]) => session.presence(wish)
export const useRuns = (id: string) => useSession(id).activeRuns
export const useParts = (id: string) => useSession(id).messages.flatMap((message) => message.parts)
`

/** What is packed of `dist/`, which has to be there. */
export function packageSuite(): void {
  describe('the package as it is published', () => {
    let folder: string
    let tarball: string

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'heldline-package-'))
      const packed = await run(
        'npm',
        ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
        { cwd: root, env },
      )
      // npm's own answer.
      const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }]
      tarball = join(folder, filename)
      const dependencies = Object.fromEntries([
        ['heldline', `file:${tarball}`],
        // The peers, and what their types are in, as this repository has them.
        ...['@types/react', ...Object.keys(manifest.peerDependencies ?? {})].map((name) => [
          name,
          manifest.devDependencies[name],
        ]),
      ])
      const project = { name: 'fresh', private: true, type: 'module', dependencies }
      await writeFile(join(folder, 'package.json'), JSON.stringify(project))
      await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
        cwd: folder,
        env,
      })
    }, 240_000)

    afterAll(() => rm(folder, { recursive: true, force: true }))

    test('has nothing that npm would run, or ask about, where it is installed', async () => {
      const text = await readFile(join(folder, 'node_modules/heldline/package.json'), 'utf8')
      const { scripts } = JSON.parse(text) as { readonly scripts: Readonly<Record<string, string>> }
      const run = ['preinstall', 'install', 'postinstall', 'prepare']
      expect(run.filter((name) => name in scripts)).toEqual([])
    })

    test('has nothing that publint minds', async () => {
      const { stdout } = await run('publint', ['run', tarball, '--strict'], { cwd: root, env })
      expect(stdout).toContain('All good!')
    })

    test('has types where an ES module looks for them, by any resolution', async () => {
      const args = [
        tarball,
        '--profile',
        'esm-only',
        '--format',
        'ascii',
        '--no-emoji',
        '--no-color',
      ]
      // Exits with a problem where there is one.
      const { stdout } = await run('attw', args, { cwd: root, env })
      expect(stdout.match(/node16 \(from ESM\): OK \(ESM\)/g)).toHaveLength(entries.length)
      expect(stdout.match(/bundler: OK/g)?.length).toBeGreaterThanOrEqual(entries.length)
    })

    test.each(entries)('%s can be imported by Node, and gives something', async (entry) => {
      const script = `console.log(Object.keys(await import(${JSON.stringify(entry)})).length)`
      const args = ['--input-type=module', '--eval', script]
      const { stdout } = await run(process.execPath, args, { cwd: folder, env })
      expect(Number(stdout)).toBeGreaterThan(0)
    })

    test('its types hold in a project that checks its libraries, too', async () => {
      const imports = entries.map((entry, at) => `import * as m${at} from '${entry}'`)
      const uses = `export const all = [${entries.map((_, at) => `m${at}`).join(', ')}]`
      await writeFile(join(folder, 'all.ts'), [...imports, uses].join('\n'))
      const options = {
        strict: true,
        module: 'NodeNext',
        target: 'ES2024',
        lib: ['ES2024', 'DOM', 'DOM.Iterable', 'ESNext'],
        noEmit: true,
        types: [],
      }
      const config = { compilerOptions: options, files: ['all.ts'] }
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
      const said = await run('tsc', ['--project', folder], { cwd: folder, env }).catch(
        (error: unknown) => error as { stdout: string },
      )
      // Not every library is as strict with itself.
      const ours = said.stdout
        .split('\n')
        .filter((line) => /^(node_modules\/heldline|all)/.test(line))
      expect(ours).toEqual([])
      expect(said.stdout).not.toMatch(/Cannot find module '(heldline|react|ai)\b/)
    })

    test('what it gives can be named by a library that is built upon it', async () => {
      await writeFile(join(folder, 'library.ts'), LIBRARY)
      const options = {
        strict: true,
        module: 'NodeNext',
        target: 'ES2024',
        lib: ['ES2024', 'DOM', 'DOM.Iterable', 'ESNext'],
        declaration: true,
        emitDeclarationOnly: true,
        skipLibCheck: true,
        outDir: 'library',
        types: [],
      }
      const config = { compilerOptions: options, files: ['library.ts'] }
      await writeFile(join(folder, 'tsconfig.library.json'), JSON.stringify(config))
      const project = join(folder, 'tsconfig.library.json')
      const said = await run('tsc', ['--project', project], { cwd: folder, env }).catch(
        (error: unknown) => error as { stdout: string },
      )
      expect(said.stdout).toBe('')
    })

    test('a page that Vite has bundled has every entry, and each gives it something', async () => {
      const imports = entries.map((entry, at) => `import * as m${at} from '${entry}'`)
      const counts = entries.map((_, at) => `Object.keys(m${at}).length`)
      const uses = `document.title = JSON.stringify([${counts.join(', ')}])`
      await writeFile(join(folder, 'page.js'), [...imports, uses].join('\n'))
      await writeFile(
        join(folder, 'index.html'),
        '<!doctype html><script type="module" src="/page.js"></script>',
      )
      const { stdout } = await run('vite', ['build', '--logLevel', 'info'], { cwd: folder, env })
      expect(stdout).toMatch(/built in/)
      expect(stdout).not.toMatch(/externalized for browser/)
      const site = await preview({ root: folder, preview: { port: 0, host: '127.0.0.1' } })
      const browser = await launchBrowser()
      try {
        const page = await browser.newPage()
        const problems: string[] = []
        page.on('pageerror', ({ message }) => problems.push(message))
        await page.goto(site.resolvedUrls?.local[0] ?? '')
        await page.waitForFunction(() => document.title !== '')
        const found = JSON.parse(await page.title()) as readonly number[]
        expect(found).toHaveLength(entries.length)
        for (const count of found) expect(count).toBeGreaterThan(0)
        expect(problems).toEqual([])
      } finally {
        await browser.close()
        await site.close()
      }
    })
  })
}
