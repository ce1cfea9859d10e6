import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  statfsSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** The data folder, held by this process alone until it is let go. */
export interface Folder {
  readonly path: string
  readonly file: string
  release(): void
}

/**
 * Locks are of little worth on these, and so is fsync: NFS, SMB, CIFS and SMB2, as `statfs` numbers them.
 */
const NETWORK_FILE_SYSTEMS = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42])

/** Makes the folder when it is not there, and locks it. Two servers on one file would give the same serials twice. */
export function takeFolder(folder: string): Folder {
  const path = resolve(folder)
  makeFolder(path)
  if (NETWORK_FILE_SYSTEMS.has(statfsSync(path).type)) {
    throw new Error(
      `unable to open; ${path} is on a network file system, which loses locks and data`,
    )
  }
  assertWritable(path)
  const lock = lockFolder(path)
  let released = false
  return {
    path,
    file: join(path, 'heldline.db'),
    release: () => {
      if (!released) lock.close()
      released = true
    },
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 })
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new Error(`unable to open; the data folder ${path} cannot be made (${reason})`, {
      cause: error,
    })
  }
}

/** What it may not write, SQLite opens to read: the lock would then be none, and every append be refused by a server that has started. */
function assertWritable(path: string): void {
  const files = readdirSync(path).filter((name) => name.startsWith('heldline.'))
  for (const each of [path, ...files.map((name) => join(path, name))]) {
    try {
      accessSync(each, constants.W_OK)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      // Gone with the server before, which is just closing.
      if (code === 'ENOENT') continue
      throw new Error(`unable to open; ${each} cannot be written (${code})`, { cause: error })
    }
  }
}

/**
 * A second, empty database in an exclusive transaction: the kernel lets go of its lock when the process ends, however
 * it ends, so that nothing has to be cleaned up after a kill.
 */
function lockFolder(path: string): DatabaseSync {
  const lock = new DatabaseSync(join(path, 'heldline.lock'), { timeout: 0 })
  try {
    lock.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (!isLocked(error)) throw error
    throw new Error(`unable to open; another server uses this data folder: ${path}`, {
      cause: error,
    })
  }
}

const isLocked = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && error.errcode === 5

/** Makes the names of new files in the folder as durable as the files. */
export function syncFolder(path: string): void {
  for (const folder of [path, dirname(path)]) {
    const handle = openSync(folder, 'r')
    try {
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
  }
}
