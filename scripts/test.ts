// Runs the tests and closes with one line that people and machines read alike:
// `N passed, N failed, N skipped`. Arguments go to vitest; `--setup` first installs what tests need.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testsOf, unshown } from './requirements.ts'
import { tally } from './tally.ts'

const args = process.argv.slice(2)
const setup = args.includes('--setup')
const rest = args.filter((argument) => argument !== '--setup')

if (setup) {
  const { status } = spawnSync('bash', ['scripts/test-setup.sh'], { stdio: 'inherit' })
  if (status !== 0) close({ passed: 0, failed: 1, skipped: 0 })
}

const folder = mkdtempSync(join(tmpdir(), 'heldline-test-'))
const output = join(folder, 'results.json')
const { status } = spawnSync(
  'vitest',
  ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${output}`, ...rest],
  { stdio: 'inherit' },
)
const results = readResults()
rmSync(folder, { recursive: true, force: true })
const counted = tally(results, status)
// A part of the tests cannot show all that the document says.
const missing = rest.length === 0 ? missingRows() : []
for (const row of missing)
  console.log(`docs/requirements.md names a test that failed or is not there, ${row}`)
close({ ...counted, failed: counted.failed + missing.length })

function missingRows(): string[] {
  return unshown(readFileSync('docs/requirements.md', 'utf8'), testsOf(results, process.cwd()))
}

/** What vitest wrote, or undefined where it died before it could. */
function readResults(): unknown {
  try {
    return JSON.parse(readFileSync(output, 'utf8'))
  } catch {
    return undefined
  }
}

function close({ passed, failed, skipped }: ReturnType<typeof tally>): never {
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`)
  process.exit(failed === 0 ? 0 : 1)
}
