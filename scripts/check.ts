// Everything that is checked without running the product. All checks run, then all are reported.
import { spawnSync } from 'node:child_process'

const checks = [
  ['types', 'tsc', '--noEmit'],
  ['published types', 'tsc', '--project', 'tsconfig.build.json', '--noEmit'],
  ['lint', 'oxlint', '--type-aware', '--deny-warnings'],
  ['format', 'oxfmt', '--check'],
  ['dead code', 'knip'],
  ['sizes', 'node', 'scripts/size.ts'],
] as const

const failed: string[] = []
for (const [name, command, ...args] of checks) {
  console.log(`\n> ${name}: ${command} ${args.join(' ')}`)
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) failed.push(name)
}
console.log(failed.length === 0 ? '\nall checks pass' : `\nfailed: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
