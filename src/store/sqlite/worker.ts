/**
 * The writer's thread. What waits when a transaction ends goes in the next one together: one fsync for all of them, and
 * the busier it is the more each fsync carries.
 */
import { statSync } from 'node:fs'
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { openForWriting, type Pragmas } from './format.ts'
import { packAnswers, unpackRequests, type PackedRequests } from './pack.ts'
import { sizeOf, type WriteRequest } from './requests.ts'
import { Writer } from './writer.ts'

export interface WorkerOptions extends Pragmas {
  readonly file: string
}

/** The store's time, by its thread's clock, and requests; or `close`. */
export type ToWorker = { readonly now: number; readonly requests: PackedRequests } | 'close'

/** A transaction takes no more than one of these, so that none of its requests waits long for the others. */
const MAX_GROUP_ROWS = 2000
const MAX_GROUP_CHARS = 4 << 20
/** After this, what could not be cleared is tried again: at once, a full disk would take a whole core. */
const TIDY_AGAIN_MS = 1000

if (parentPort === null) throw new Error('the writer runs in a thread of its own')
const port = parentPort
const { file, synchronous } = workerData as WorkerOptions
const writer = new Writer(openForWriting(file, { synchronous }))
const opened = identity()

const inbox: WriteRequest[] = []
let now = 0
let closing = false
let tidying = false

port.on('message', (message: ToWorker) => {
  take(message)
  for (let group = nextGroup(); group.length > 0; group = nextGroup()) {
    assertInPlace()
    port.postMessage(packAnswers(writer.write(group, now)))
  }
  if (closing) close()
  else tidyLater()
})
port.postMessage('ready')

function take(message: ToWorker): void {
  if (message === 'close') {
    closing = true
    return
  }
  now = message.now
  unpackRequests(message.requests, inbox)
}

/** Which file has the name now. */
function identity(): string | null {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false })
  return found === undefined ? null : `${found.dev} ${found.ino}`
}

/** A file that was removed, or replaced by a backup, takes writes as before, and they are gone with this process: nothing more may be acknowledged. */
function assertInPlace(): void {
  if (identity() === opened) return
  throw new Error('the data file was removed or replaced while it was open')
}

/** All that waits here and in the port, up to the bounds of a group. */
function nextGroup(): WriteRequest[] {
  for (
    let next = receiveMessageOnPort(port);
    next !== undefined;
    next = receiveMessageOnPort(port)
  ) {
    take(next.message as ToWorker)
  }
  let rows = 0
  let chars = 0
  const end = inbox.findIndex((request) => {
    const size = sizeOf(request)
    rows += size.rows
    chars += size.chars
    return rows > MAX_GROUP_ROWS || chars > MAX_GROUP_CHARS
  })
  // At least one, however large.
  return inbox.splice(0, end === -1 ? inbox.length : Math.max(1, end))
}

/** Between messages, a step at a time: commits go first. */
function tidyLater(): void {
  if (tidying || !writer.hasLeftovers) return
  tidying = true
  setImmediate(tidy)
}

function tidy(): void {
  if (closing) return
  if (!writer.tidy()) {
    setTimeout(tidy, TIDY_AGAIN_MS).unref()
    return
  }
  tidying = false
  tidyLater()
}

function close(): void {
  writer.close()
  port.postMessage('closed')
  port.close()
}
