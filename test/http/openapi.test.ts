import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ERRORS } from '../../src/protocol/errors.ts'
import { RIGHTS } from '../../src/http/rights.ts'
import { startHttp, type HttpServer } from './http-server.ts'

let server: HttpServer
// oxlint-disable-next-line typescript/no-explicit-any -- the document is looked at field by field
let document: any

beforeAll(async () => {
  server = await startHttp()
  document = (await server.ask('GET', '/openapi.json', { credential: null })).json
})

afterAll(() => server?.close())

interface Described {
  readonly operationId: string
  readonly summary: string
  readonly security: unknown[]
  readonly parameters: {
    name: string
    in: string
    required: boolean
    description: string
    schema: { type: string; enum?: string[] }
  }[]
  readonly requestBody?: { content: Record<string, { schema: object }> }
  readonly responses: Record<
    string,
    { description: string; content?: Record<string, { schema: object }> }
  >
}

function operations(): [string, Described][] {
  const paths = document.paths as Record<string, Record<string, Described>>
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]): [string, Described] => [
      `${method.toUpperCase()} ${path}`,
      one,
    ]),
  )
}

describe('the description of the HTTP API', () => {
  test('is OpenAPI 3.1 and describes every route of the table of rights', () => {
    expect(document.openapi).toBe('3.1.0')
    const known = [
      ...new Set(Object.keys(RIGHTS).map((name) => name.split(' ').slice(0, 2).join(' '))),
    ]
    expect(
      operations()
        .map(([name]) => name)
        .sort(),
    ).toEqual(known.sort())
    const ids = operations().map(([, { operationId }]) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test('every operation has words, parameters for its path, answers, and the refusals that it can give', () => {
    for (const [name, operation] of operations()) {
      expect(operation.summary).toMatch(/\w/)
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter)
      const described = operation.parameters
        .filter((one) => one.in === 'path')
        .map((one) => one.name)
      expect(described).toEqual(inPath)
      expect(operation.parameters.every((one) => one.description.length > 5)).toBe(true)
      expect(
        Object.keys(operation.responses).some(
          (status) => status.startsWith('2') || status === '101',
        ),
      ).toBe(true)
      expect(operation.responses['500']?.description).toContain('internal')
      const open = RIGHTS[name] === 'nothing'
      expect(operation.security.length > 0).toBe(!open)
      expect('401' in operation.responses).toBe(!open)
      if (inPath.includes('session'))
        expect(operation.responses['404']?.description).toContain('session_not_found')
    }
  })

  test('appending and reading have both their media types', () => {
    const [append, read] = ['POST', 'GET'].map(
      (method) =>
        operations().find(([name]) => name === `${method} /v1/sessions/{session}/events`)?.[1],
    )
    expect(Object.keys(append?.requestBody?.content ?? {})).toEqual([
      'application/json',
      'application/x-ndjson',
    ])
    expect(Object.keys(read?.responses['200']?.content ?? {})).toEqual([
      'application/json',
      'text/event-stream',
    ])
    expect(read?.parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'after',
        'before',
        'from',
        'to',
        'limit',
        'wait',
        'catchup',
        'padding',
        'Last-Event-ID',
      ]),
    )
  })

  test('a parameter is taken in the form that is described, and in no other', async () => {
    await server.ask('PUT', '/v1/sessions/forms')
    const asked = operations().flatMap(([name, { parameters }]) =>
      parameters
        .filter(({ schema }) => schema.type === 'integer' || schema.enum !== undefined)
        .filter((one) => one.in === 'query' && name.startsWith('GET '))
        .map((parameter) => ({ path: name.slice(4).replace('{session}', 'forms'), parameter })),
    )
    expect(asked.length).toBeGreaterThan(15)
    for (const { path, parameter } of asked) {
      const url = path.replaceAll(/\{\w+\}/g, 'one')
      const { status } = await server.ask('GET', `${url}?${parameter.name}=nonsense`)
      expect([url, parameter.name, status]).toEqual([url, parameter.name, 400])
    }
  })

  test('a body is described as strictly as it is taken', () => {
    const [, put] = operations().find(([name]) => name === 'PUT /v1/sessions/{session}') ?? []
    const schema = put?.requestBody?.content['application/json']?.schema as Record<string, unknown>
    expect(schema).toMatchObject({ type: 'object', additionalProperties: false })
    expect(Object.keys(schema['properties'] as object)).toEqual(['metadata', 'ttlMs', 'retention'])
  })

  test('the page shows every operation and every error, and loads nothing', async () => {
    const { text, headers } = await server.ask('GET', '/docs', { credential: null })
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    for (const [, { operationId }] of operations()) expect(text).toContain(`id="${operationId}"`)
    for (const code of Object.keys(ERRORS)) expect(text).toContain(`id="${code}"`)
    expect(text).not.toMatch(/<script|src=|<link|@import|url\(|https?:\/\//)
    const style = /<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? ''
    const digest = createHash('sha256').update(style).digest('base64')
    expect(headers.get('content-security-policy')).toContain(`style-src 'sha256-${digest}'`)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  })
})
