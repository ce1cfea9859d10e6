import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void

/**
 * How much the heap has grown over some work, in bytes, where only young objects are ever collected: what has died, and is still there, is held by something that
 * has died before it, and was old by then.
 * @param step one of many that are alike
 */
export async function growthOver(steps: number, step: () => Promise<void> | void): Promise<number> {
  // What the steps have in common is made, and old.
  for (let i = 0; i < steps / 4; i++) {
    await step()
    if (i % 10 === 0) collect({ type: 'minor' })
  }
  const before = young()
  for (let i = 0; i < steps; i++) {
    await step()
    if (i % 50 === 0) collect({ type: 'minor' })
  }
  return young() - before
}

/** What is used once two collections have taken what was young and dead. */
function young(): number {
  collect({ type: 'minor' })
  collect({ type: 'minor' })
  return process.memoryUsage().heapUsed
}
