import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const src = new URL('src', import.meta.url).pathname
const redis = 'test/**/*.redis.test.ts'
// Real processes: servers, browsers, kill -9.
const e2e = ['test/e2e/**/*.test.ts', 'test/faults/**/*.test.ts']

/** Each takes minutes: the one that began last would hold up the end of all. */
const LONGEST = [
  'test/faults/kills.test.ts',
  'test/e2e/chat/chat.browser.test.ts',
  'test/e2e/chat/network.browser.test.ts',
  'test/core/simulation.test.ts',
  'test/store/remembered.redis.test.ts',
]

/** Where there was no run before, whose times are known, the largest files begin, and these are small. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isShort = ({ moduleId }: TestSpecification): number =>
      Number(!LONGEST.some((path) => moduleId.endsWith(`/${path}`)))
    const byProject = Map.groupBy(await super.sort(files), ({ project }) => project)
    return [...byProject.values()].flatMap((some) =>
      some.toSorted((a, b) => isShort(a) - isShort(b)),
    )
  }
}

export default defineConfig({
  // The examples import what is published; here nothing is built.
  resolve: {
    alias: [
      { find: /^heldline\/ai-sdk\/react$/, replacement: `${src}/adapters/ai-sdk/react.ts` },
      { find: /^heldline\/(ai-sdk)$/, replacement: `${src}/adapters/$1/index.ts` },
      { find: /^heldline\/(\w+)$/, replacement: `${src}/$1/index.ts` },
    ],
  },
  test: {
    // The smallest machine that runs everything has two cores, and half of the time they wait: for leases, heartbeats, and browsers that start.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    restoreMocks: true,
    unstubEnvs: true,
    // An error that no test awaited is a failure of the run.
    dangerouslyIgnoreUnhandledErrors: false,
    coverage: {
      provider: 'v8',
      // Only TypeScript: the coverage parser stumbles over .lua and .html.
      include: ['src/**/*.ts'],
      reporter: ['text-summary', 'html'],
    },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: [redis, ...e2e],
          // Far beyond what any takes: a busy machine is no failure.
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'redis',
          include: [redis],
          exclude: e2e,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: e2e,
          testTimeout: 60_000,
          hookTimeout: 120_000,
          // Each waits more than it works: a group of its own, after all that keeps the processor busy.
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
