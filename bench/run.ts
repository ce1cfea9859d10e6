// npm run bench: what Heldline does in a second, beside what its parts could do and what others do, in one run.
import { mkdirSync, writeFileSync } from 'node:fs'
import { buildCentrifuge, type Built } from './lib/centrifuge.ts'
import { hasNats } from './lib/nats.ts'
import { Load } from './lib/load.ts'
import { describeMachine } from './lib/machine.ts'
import { readOptions, USAGE, type Options, type ScenarioId } from './lib/options.ts'
import { removeFolder, temporaryFolder } from './lib/processes.ts'
import { topOfProfiles } from './lib/profile.ts'
import { startRedis } from './lib/redis-server.ts'
import { renderReport, renderSection, type Section } from './lib/report.ts'
import { Context, type Scenario } from './lib/scenario.ts'
import { fanOut } from './scenarios/b1-fan-out.ts'
import { appends } from './scenarios/b2-append.ts'
import { tokens } from './scenarios/b3-tokens.ts'
import { resumes } from './scenarios/b4-resume.ts'
import { lateJoiners } from './scenarios/b5-late-join.ts'
import { atRest } from './scenarios/b6-idle.ts'
import { reconnectStorm } from './scenarios/b7-storm.ts'
import { nodes } from './scenarios/b8-nodes.ts'
import { runs } from './scenarios/b9-runs.ts'

const ALL: Readonly<Record<ScenarioId, Scenario>> = {
  B1: fanOut,
  B2: appends,
  B3: tokens,
  B4: resumes,
  B5: lateJoiners,
  B6: atRest,
  B7: reconnectStorm,
  B8: nodes,
  B9: runs,
}
const RESULTS = new URL('results/', import.meta.url)

async function main(options: Options): Promise<boolean> {
  const machine = describeMachine()
  const centrifuge: Built = options.peers
    ? buildCentrifuge(options.fetchPeers)
    : { missing: 'no peers were asked for' }
  if ('missing' in centrifuge) console.log(`SKIPPED: Centrifuge; ${centrifuge.missing}`)
  const nats = options.peers && !hasNats() ? '; NATS skipped: nats-server is not there' : ''
  if (nats !== '') console.log('SKIPPED: NATS; Debian’s package nats-server is not on this machine')
  const sections: Section[] = []
  for (const id of options.only) {
    const profiled = options.profile.includes(id)
    const section = await runScenario(id, options, centrifuge, profiled)
    const missed = section.verdicts.some(({ met }) => met === false)
    // What misses its target comes with its profile; a profiled run of its own, since profiling costs.
    if (missed && !profiled && !options.quick) {
      const short = { ...options, quick: true, repetitions: 1, peers: false }
      section.profiles = (await runScenario(id, short, centrifuge, true)).profiles
    }
    sections.push(section)
    console.log(`\n${renderSection(section)}`)
  }
  const skipped = 'missing' in centrifuge ? `; Centrifuge skipped: ${centrifuge.missing}` : ''
  const how = `${options.quick ? 'quick: sizes and times too small to say how fast' : 'full'}, ${options.repetitions} repetitions${skipped}${nats}`
  save(machine, sections, options, renderReport(machine, sections, how))
  return sections.every(({ error }) => error === null)
}

async function runScenario(
  id: ScenarioId,
  options: Options,
  centrifuge: Built,
  profiled: boolean,
): Promise<Section> {
  const scenario = ALL[id]
  const { title } = scenario
  console.log(`\n${id} ${title}${profiled ? ' (profiled)' : ''}`)
  const start = performance.now()
  const profileTo = profiled ? temporaryFolder('profile') : undefined
  const load = new Load()
  const redis = await startRedis()
  const context = new Context({ id, options, load, redis, centrifuge, profileTo })
  let error: string | null = null
  try {
    await scenario.run(context)
  } catch (cause) {
    error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)
    console.error(`  ${id} FAILED: ${error}`)
  } finally {
    await context.close()
    await redis.stop()
    await load.stop()
  }
  const profiles = profileTo === undefined ? [] : topOfProfiles(profileTo)
  if (profileTo !== undefined) removeFolder(profileTo)
  const seconds = (performance.now() - start) / 1000
  const { verdicts, notes } = context
  return { id, title, rows: context.rows(), verdicts, notes, seconds, error, profiles }
}

/** Only a full run may speak for the project; everything else stays beside the raw figures. */
function save(
  machine: Readonly<Record<string, string>>,
  sections: readonly Section[],
  options: Options,
  report: string,
): void {
  mkdirSync(RESULTS, { recursive: true })
  const name = new Date().toISOString().replaceAll(/[:.]/g, '-')
  const raw = JSON.stringify({ machine, options, sections }, null, 2)
  writeFileSync(new URL(`${name}.json`, RESULTS), `${raw}\n`)
  const full = !options.quick && options.only.length === Object.keys(ALL).length
  const file = full ? new URL('RESULTS.md', import.meta.url) : new URL('latest.md', RESULTS)
  writeFileSync(file, report)
  console.log(`written: ${file.pathname}`)
}

try {
  const good = await main(readOptions(process.argv.slice(2)))
  process.exit(good ? 0 : 1)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.error(USAGE)
  process.exit(2)
}
