import type { FastifyReply } from 'fastify'
import type * as z from 'zod/mini'
import type { ErrorCode } from '../protocol/errors.ts'
import type { Answer, STREAMED } from './answer.ts'
import type { Call } from './call.ts'
import { type Parameter } from './parameter.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A media type other than the usual one. */
export type Variant =
  | 'text/event-stream'
  | 'application/x-ndjson'
  | 'text/plain'
  | 'application/merge-patch+json'
  | 'application/json-patch+json'

/** One thing that can be asked for: how it is done, and the words that the documentation has for it. */
export interface Route {
  readonly method: Method
  /** With names in braces, as in OpenAPI. */
  readonly path: string
  /** Where a path has two meanings: the media type, of the body or of the answer, that asks for this one. */
  readonly variant?: Variant
  readonly summary: string
  readonly description?: string
  /** The query's parameters. A name that ends with a dot is a prefix of names. */
  readonly query?: Readonly<Record<string, Parameter>>
  /** Headers of the request beside the usual ones. */
  readonly headers?: Readonly<Record<string, Parameter>>
  readonly body?: RouteBody
  readonly answers: Readonly<Record<number, RouteAnswer>>
  /** Beside those that every route of its kind has. */
  readonly errors?: readonly ErrorCode[]
  /** Asked for all the time by machines: logged only where it fails. */
  readonly quiet?: true
  handle(call: Call, reply: FastifyReply): Answer | Promise<Answer | typeof STREAMED>
}

export interface RouteBody {
  readonly schema: z.ZodMiniType
  readonly required: boolean
  /** Over the usual size. */
  readonly maxBytes?: number
}

export interface RouteAnswer {
  readonly about: string
  readonly schema?: z.ZodMiniType
  /** Where it is not application/json. */
  readonly type?: string
}

/** What a route is called in the table of rights and in the documentation. */
export function nameOf(route: Pick<Route, 'method' | 'path' | 'variant'>): string {
  const name = `${route.method} ${route.path}`
  return route.variant === undefined ? name : `${name} ${route.variant}`
}
