// Builds dist/: tsc for the code, then the files that tsc leaves behind (Lua scripts, pages).
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, globSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'

const assets = 'src/**/*.{lua,html,css,svg,png,ico,sql,js,json,webmanifest}'

rmSync('dist', { recursive: true, force: true })
const tsc = spawnSync('tsc', ['--project', 'tsconfig.build.json'], { stdio: 'inherit' })
if (tsc.status !== 0) process.exit(tsc.status ?? 1)

let copied = 0
for (const file of globSync(assets)) {
  cpSync(file, join('dist', relative('src', file)))
  copied += 1
}
if (existsSync('dist/main.js')) chmodSync('dist/main.js', 0o755)
console.log(`dist: compiled, and ${copied} files copied as they are`)
