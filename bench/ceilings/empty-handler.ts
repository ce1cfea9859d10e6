// The floor of an HTTP append: Fastify with a handler that does nothing.
import fastify from 'fastify'
import { ready } from './bare-ws.ts'

const app = fastify()
app.post('/v1/sessions/:session/events', (_, reply) =>
  reply.send({ epoch: 'e', first: 1, last: 1, duplicates: 0, durability: 'memory' }),
)
await app.ready()
ready(app.server)
