import { Ajv } from 'ajv'
import { Ajv2020, type Options } from 'ajv/dist/2020.js'
import { createContext, Script } from 'node:vm'
import type { SchemaCheck } from '../core/schema-check.ts'

type Schema = Readonly<Record<string, unknown>>

const OPTIONS: Options = {
  // A word that is not known is a mistake that somebody would like to hear of.
  strictSchema: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allowUnionTypes: true,
  // A note for people and their forms: what a format means differs from library to library.
  validateFormats: false,
  // Looked at before, by those below.
  validateSchema: false,
  meta: false,
  logger: false,
}

/** Of a schema that means nothing but draft 7, or 2020-12. */
const DRAFTS = {
  'draft-07': { draft: new Ajv(), Checker: Ajv },
  '2020-12': { draft: new Ajv2020(), Checker: Ajv2020 },
} as const

/** What forms add to JSON Schema. */
const NOTES = ['enumNames']

/** A pattern may take for ever on the right text, and so may a schema that means itself: what takes the processor for longer is cut off. */
const MAX_MS = 250
/** What was cut off by the clock and has had so much of its time on the processor has had all of it: looks at the two clocks are not of one moment. */
const ALL_OF_IT = 0.9

/** JSON Schema of draft 7 and 2020-12, by what is most used for it. */
export class AnswerSchemas implements SchemaCheck {
  readonly #maxMs: number

  constructor(maxMs = MAX_MS) {
    this.#maxMs = maxMs
  }

  refuse(schema: Schema): string | null {
    const version = versionOf(schema)
    if (version === null) return '$schema is neither draft 7 nor 2020-12'
    const { $schema: _, ...rest } = schema
    const { draft } = DRAFTS[version]
    // The first time it makes itself ready, which is not to be counted.
    void draft.validateSchema({})
    try {
      return this.#within(() => {
        if (draft.validateSchema(rest) !== true)
          return draft.errorsText(draft.errors, { dataVar: '' })
        compile(version, rest)
        return null
      })
    } catch (error) {
      return messageOf(error)
    }
  }

  misfit(schema: Schema, value: unknown): string | null {
    const { $schema: _, ...rest } = schema
    try {
      return this.#within(() => {
        const fits = compile(versionOf(schema) ?? '2020-12', rest)
        if (fits(value)) return null
        const [first] = fits.errors ?? []
        return `answer${first?.instancePath ?? ''} ${first?.message ?? 'does not fit'}`
      })
    } catch (error) {
      return messageOf(error)
    }
  }

  /**
   * Within a bounded time of the processor: the engine itself cuts it off, even in the middle of a pattern. The engine goes by the clock; where the thread stood still
   * meanwhile, on a machine that others keep busy, it begins again.
   * @throws Error when the time is over
   */
  #within(task: () => string | null): string | null {
    const end = cpuMs() + this.#maxMs * ALL_OF_IT
    stage['task'] = task
    try {
      for (;;) {
        try {
          // The script is this file's own, and gives what the task gives.
          return CALL.runInContext(stage, { timeout: this.#maxMs }) as string | null
        } catch (error) {
          if (!isCutOff(error) || cpuMs() >= end) throw error
        }
      }
    } finally {
      delete stage['task']
    }
  }
}

/** What this thread has taken of the processor; before Node 23.9, what the process has. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage()
  return (user + system) / 1000
}

const stage = createContext({})
const CALL = new Script('task()')

function versionOf({ $schema }: Schema): keyof typeof DRAFTS | null {
  if ($schema === undefined) return '2020-12'
  const versions = ['draft-07', '2020-12'] as const
  return versions.find((one) => typeof $schema === 'string' && $schema.includes(one)) ?? null
}

/** By a checker of its own: what one schema names is not to be found by another. */
function compile(version: keyof typeof DRAFTS, schema: object) {
  // It would make of every check a promise.
  if ('$async' in schema) throw new Error('$async has no place in it')
  const checker = new DRAFTS[version].Checker(OPTIONS)
  for (const note of NOTES) checker.addKeyword(note)
  return checker.compile(schema)
}

/** What cuts off is of the script's own realm: no Error of this one. */
function isCutOff(error: unknown): boolean {
  return (error as { readonly code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}

function messageOf(error: unknown): string {
  if (isCutOff(error)) return 'takes too long to look at'
  const { message } = error as { readonly message?: unknown }
  return typeof message === 'string' ? message : 'cannot be looked at'
}
