// Rewrites package-lock.json so that `npm ci` works from it everywhere.
//
// npm leaves an optional package for another platform out of the lockfile when the registry in use
// does not hold it, and `npm ci` then refuses that lockfile ("Missing: … from lock file"). Each one
// left out is named here by the version and platform its parent pins, so that `npm ci` skips it like
// any other package of a foreign platform.
//
// Run `npm run lockfile` after a change of dependencies in package.json.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'

interface Entry {
  version?: string
  cpu?: string[]
  dev?: boolean
  libc?: string[]
  optional?: boolean
  os?: string[]
  optionalDependencies?: Record<string, string>
}

const lockfile = 'package-lock.json'
const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'openharmony', 'sunos', 'win32']
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64']

const npm = spawnSync('npm', ['install', '--package-lock-only', '--no-audit'], { stdio: 'inherit' })
if (npm.status !== 0) process.exit(npm.status ?? 1)

const lock = JSON.parse(readFileSync(lockfile, 'utf8')) as { packages: Record<string, Entry> }
const added: string[] = []
for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (lock.packages[`node_modules/${name}`] ?? lock.packages[`${path}/node_modules/${name}`]) {
      continue
    }
    const platform = platformOf(name)
    if (!platform || !/^\d/.test(version)) {
      console.error(
        `unable to complete ${lockfile}; ${name}@${version} names no platform or version`,
      )
      process.exit(1)
    }
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [platform.cpu],
      ...(parent.dev ? { dev: true } : {}),
      optional: true,
      os: [platform.os],
    }
    added.push(`${name}@${version}`)
  }
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
)
const text = `${JSON.stringify(lock, null, 2)}\n`
if (/"resolved": "[a-z+]+:/.test(text)) {
  console.error(`unable to keep ${lockfile}; it names a registry host (see .npmrc)`)
  process.exit(1)
}
writeFileSync(lockfile, text)
console.log(`${lockfile}: ${added.length} packages of other platforms added by name`)

/** The platform in a name such as `@oxlint/binding-linux-arm-musleabihf`. */
function platformOf(name: string): { os: string; cpu: string } | undefined {
  const words = name.split(/[-/]/)
  const os = words.find((word) => systems.includes(word))
  const cpu = words.find((word) => processors.includes(word))
  return os && cpu ? { os, cpu } : undefined
}
