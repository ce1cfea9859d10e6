import * as z from 'zod'
import { ERRORS, errorRow, type ErrorCode } from '../protocol/errors.ts'
import { problemAnswer } from '../protocol/http.ts'
import { ID_PATTERN } from '../protocol/ids.ts'
import { RIGHTS, type Need } from './rights.ts'
import { nameOf, type Method, type Route, type RouteAnswer } from './route.ts'

export interface OpenApi {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description?: string
  readonly security: readonly unknown[]
  readonly parameters: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, Response>>
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description: string
  readonly schema: unknown
}

interface Response {
  readonly description: string
  readonly content?: Content
}

type Content = Readonly<Record<string, { readonly schema: unknown }>>

/** OpenAPI 3.1 of routes. Routes that share method and path are one operation with several media types. */
export function openapiDocument(routes: readonly Route[]): OpenApi {
  const paths: Record<string, Record<string, Operation>> = {}
  for (const [path, here] of Map.groupBy(routes, (route) => route.path)) {
    const operations: Record<string, Operation> = {}
    for (const [method, variants] of Map.groupBy(here, (route) => route.method)) {
      // A group has at least the member that made it.
      operations[method.toLowerCase()] = operation(method, path, variants as [Route, ...Route[]])
    }
    paths[path] = operations
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Heldline',
      version: '1',
      description: 'Durable sessions between agents and the people who watch and steer them.',
    },
    paths,
    components: {
      schemas: { Problem: schemaOf(problemAnswer), ErrorCode: { enum: Object.keys(ERRORS) } },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key as `id:secret`, or a token.',
        },
        basic: { type: 'http', scheme: 'basic', description: 'An API key.' },
      },
    },
  }
}

function operation(
  method: Method,
  path: string,
  variants: readonly [Route, ...Route[]],
): Operation {
  const [first] = variants
  const descriptions = variants.flatMap((route) => [
    ...(variants.length > 1
      ? [`**${route.variant ?? 'application/json'}**: ${route.summary}.`]
      : []),
    ...(route.description === undefined ? [] : [route.description]),
    rightsText(route),
  ])
  const body = bodyOf(variants)
  return {
    operationId: operationId(method, path),
    tags: [path.split('/').findLast((part) => part !== '' && !part.startsWith('{')) ?? 'server'],
    summary: first.summary,
    description: descriptions.join('\n\n'),
    security: needOf(first) === 'nothing' ? [] : [{ bearer: [] }, { basic: [] }],
    parameters: parametersOf(path, variants),
    ...(body !== null && { requestBody: body }),
    responses: { ...answersOf(variants), ...refusalsOf(variants) },
  }
}

function operationId(method: Method, path: string): string {
  const words = path
    .split('/')
    .flatMap((part) => part.split(/[^A-Za-z]+/))
    .filter((word) => word !== '' && word !== 'v')
  return (
    method.toLowerCase() +
    words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
  )
}

function needOf(route: Route): Need {
  return RIGHTS[nameOf(route)] ?? 'nothing'
}

function rightsText(route: Route): string {
  const need = needOf(route)
  if (need === 'nothing') return 'Open to everybody.'
  if (need === 'credentials') return 'Needs credentials.'
  return `Needs the capability ${typeof need === 'string' ? need : need.join(' or ')}.`
}

function parametersOf(path: string, variants: readonly Route[]): readonly Parameter[] {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']): Parameter => ({
    name,
    in: 'path',
    required: true,
    description: `The id of the ${name}.`,
    schema: { type: 'string', pattern: ID_PATTERN.source },
  }))
  const named = (
    place: 'query' | 'header',
    all: readonly (Route['query'] | undefined)[],
  ): Parameter[] =>
    Object.entries(Object.assign({}, ...all) as NonNullable<Route['query']>).map(([name, one]) => {
      const { about, form, required = false } = typeof one === 'string' ? anyText(one) : one
      const described = { in: place, description: about }
      return name.endsWith('.')
        ? { ...free, ...described, name: name.slice(0, -1) }
        : { ...described, name, required, schema: form }
    })
  return [
    ...inPath,
    ...named(
      'query',
      variants.map((route) => route.query),
    ),
    ...named(
      'header',
      variants.map((route) => route.headers),
    ),
  ]
}

function anyText(about: string) {
  return { about, form: { type: 'string' }, required: false } as const
}

/** Names that the caller completes. */
const free = {
  required: false,
  style: 'form',
  explode: true,
  schema: { type: 'object', additionalProperties: { type: 'string' } },
} as const

function bodyOf(variants: readonly Route[]): NonNullable<Operation['requestBody']> | null {
  const bodies = variants.flatMap(({ body, variant }) =>
    body === undefined ? [] : [{ ...body, type: variant ?? 'application/json' }],
  )
  if (bodies.length === 0) return null
  const content = Object.fromEntries(
    bodies.map(({ type, schema }) => [type, { schema: schemaOf(schema, 'input') }]),
  )
  return { required: bodies.some(({ required }) => required), content }
}

function answersOf(variants: readonly Route[]): Record<string, Response> {
  const responses: Record<string, Response> = {}
  for (const { answers } of variants) {
    for (const [status, answer] of Object.entries<RouteAnswer>(answers)) {
      const before = responses[status]
      const content = { ...before?.content, ...contentOf(answer, status) }
      const description =
        before === undefined ? answer.about : `${before.description} ${answer.about}`
      responses[status] = { description, ...(Object.keys(content).length > 0 && { content }) }
    }
  }
  return responses
}

function contentOf({ schema, type }: RouteAnswer, status: string): Content {
  if (status === '204') return {}
  return { [type ?? 'application/json']: { schema: schema === undefined ? {} : schemaOf(schema) } }
}

/** The refusals that every route of a kind has. */
const ALWAYS: readonly ErrorCode[] = ['invalid_request', 'headers_too_large', 'internal']
const WITH_QUERY: readonly ErrorCode[] = ['duplicate_param', 'unknown_field']
const WITH_CREDENTIALS: readonly ErrorCode[] = [
  'unauthenticated',
  'invalid_token',
  'forbidden',
  'rate_limited',
]
const WITH_STORE: readonly ErrorCode[] = ['store_unavailable', 'outcome_unknown', 'contention']
const WITH_SESSION: readonly ErrorCode[] = ['invalid_session_id', 'session_not_found']
const WITH_BODY: readonly ErrorCode[] = [
  'invalid_json',
  'empty_body',
  'invalid_utf8',
  'too_deep',
  'too_many_keys',
  'duplicate_key',
  'forbidden_key',
  'unknown_field',
  'request_timeout',
  'payload_too_large',
  'unsupported_media_type',
]

export function errorsOf(route: Route): readonly ErrorCode[] {
  const credentials = needOf(route) !== 'nothing'
  return [
    ...new Set([
      ...ALWAYS,
      ...(route.query === undefined ? [] : WITH_QUERY),
      ...(credentials ? [...WITH_CREDENTIALS, ...WITH_STORE] : []),
      ...(route.path.includes('{session}') ? WITH_SESSION : []),
      ...(route.body === undefined ? [] : WITH_BODY),
      ...(route.errors ?? []),
    ]),
  ]
}

function refusalsOf(variants: readonly Route[]): Record<string, Response> {
  const codes = [...new Set(variants.flatMap(errorsOf))]
  const schema = { $ref: '#/components/schemas/Problem' }
  const byStatus = Object.entries(Object.groupBy(codes, (code) => errorRow(code).status))
  return Object.fromEntries(
    byStatus.map(([status, here = []]) => [
      status,
      {
        description: here.map((code) => `\`${code}\`: ${errorRow(code).title}.`).join('\n\n'),
        content: { 'application/problem+json': { schema } },
      },
    ]),
  )
}

function schemaOf(
  schema: NonNullable<RouteAnswer['schema']>,
  io: 'input' | 'output' = 'output',
): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}
