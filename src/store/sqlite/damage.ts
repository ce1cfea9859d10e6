const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

/** Whether SQLite has found that the file is not what it wrote. Trying again finds the same. */
export function isDamage(error: unknown): error is Error {
  if (!(error instanceof Error) || !('errcode' in error)) return false
  const code = Number(error.errcode) & 0xff
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB
}

/** For the operator, who is the only one that can do something about it. */
export function damaged(error: Error): Error {
  return new Error(
    `the data file is damaged; SQLite says: ${error.message}. Restore a backup, or recover what can be read: see docs/durability.md`,
    { cause: error },
  )
}
