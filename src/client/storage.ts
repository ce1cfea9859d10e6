/** The part of the Web Storage API that is used; either of the two may be missing or refuse. */
export interface StorageArea {
  readonly length: number
  key(index: number): string | null
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/**
 * Where things survive a reload: `local` the outbox, `tab` the name of this tab and the cursors of raw readers. Never a
 * token. All of it is best effort: a browser that refuses to store leaves a client that works until the reload.
 */
export interface Storages {
  readonly local: StorageArea | null
  readonly tab: StorageArea | null
}

export function findStorages(): Storages {
  // Node has these globals too, but writes files or warnings with them.
  if (typeof globalThis.document === 'undefined') return { local: null, tab: null }
  return { local: area(() => localStorage), tab: area(() => sessionStorage) }
}

/** Reading the property throws where the browser forbids storage. */
function area(find: () => StorageArea): StorageArea | null {
  try {
    return find()
  } catch {
    return null
  }
}

export function store(area: StorageArea | null, key: string, value: string): void {
  try {
    area?.setItem(key, value)
  } catch {
    // Best effort: quotas are small, and private windows may have none.
  }
}

export function unstore(area: StorageArea | null, key: string): void {
  try {
    area?.removeItem(key)
  } catch {
    // Best effort: what stays is sent once more, with the same id, and changes nothing.
  }
}

export function stored(area: StorageArea | null, key: string): string | null {
  try {
    return area?.getItem(key) ?? null
  } catch {
    return null
  }
}

/** The keys that begin with a prefix. */
export function storedKeys(area: StorageArea | null, prefix: string): string[] {
  const keys: string[] = []
  try {
    for (let i = 0; i < (area?.length ?? 0); i++) {
      const key = area?.key(i)
      if (key?.startsWith(prefix) === true) keys.push(key)
    }
  } catch {
    // What was found before it refused.
  }
  return keys
}
