import { readFileSync, writeFileSync } from 'node:fs'

/** What the kernel says about a process (Linux); zeroes where it says nothing. */

const TICK_MS = 10

/** The CPU time that a process has used, all of its threads together. */
export function cpuMs(pid: number): number {
  const stat = read(`/proc/${pid}/stat`)
  // The name of the process may hold spaces; the fields after it do not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS
}

export function rssBytes(pid: number): number {
  const rollup = /^Rss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))
  const status = rollup ?? /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))
  return Number(status?.[1] ?? 0) * 1024
}

/** What `peakRssBytes` says is then of what comes. */
export function forgetPeakRss(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** The largest that the resident memory has been since it was last reset. */
export function peakRssBytes(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
