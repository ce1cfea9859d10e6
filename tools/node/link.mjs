// Runs after `npm ci`, on whatever Node the machine has. Both platforms' packages offer a command
// named node, and npm 10 takes away the one it linked when it drops the package of the other
// platform: link it again, so that npm scripts find Node 24 with every npm. As `postprepare`: a
// `prepare` is in the published package, too, and npm asks there whether it may run.
import { existsSync, lstatSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'

const name = `node-${process.platform}-${process.arch}`
const bin = new URL('../../node_modules/.bin/', import.meta.url)
const link = new URL('node', bin)
const target = `../${name}/bin/node`

if (existsSync(new URL(target, bin)) && linked() !== target) {
  rmSync(link, { force: true })
  symlinkSync(target, link)
}

function linked() {
  const found = lstatSync(link, { throwIfNoEntry: false })
  return found?.isSymbolicLink() ? readlinkSync(link) : undefined
}
