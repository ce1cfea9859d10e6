import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { StoreOrder } from '../ceilings/store-driver.ts'

const DRIVER = fileURLToPath(new URL('../ceilings/store-driver.ts', import.meta.url))

/** What a store's own parts can do, driven from a process of its own. @returns events a second */
export function driveStore(order: StoreOrder): Promise<number> {
  const child = fork(DRIVER, [], { execArgv: ['--no-warnings'] })
  return new Promise<number>((resolve, reject) => {
    child.once('message', (perSecond) => resolve(Number(perSecond)))
    child.once('exit', () => reject(new Error('the ceiling of a store has ended by itself')))
    child.send(order)
  }).finally(() => child.disconnect())
}
