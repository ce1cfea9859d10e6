import type { FastifyInstance } from 'fastify'
import { readBody } from './body.ts'
import type { BodyPorts } from './json-body.ts'

/**
 * What the framework parses: nothing, but the text that a mounted route asks for. Our own routes read their bodies themselves, see `bodyFor`.
 */
export function installParsers(app: FastifyInstance, { deadlines }: BodyPorts): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (request, body, done) => {
    if (request.plainBytes === 0) return done(null)
    readBody(body, request.plainBytes, deadlines, (error, bytes) => done(error, bytes?.toString()))
  })
}
