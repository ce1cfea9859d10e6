// What a server that takes appends over HTTP could do at best: Fastify's empty handler, and what came in one turn of the event
// loop as one frame to all sockets. Nothing is stored, nothing is checked.
import fastify from 'fastify'
import { bareWs, eventsText, eventText, ready, textFrame } from './bare-ws.ts'

const app = fastify()
app.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) =>
  done(null, body),
)
let serial = 0
let texts: string[] = []
const sockets = bareWs(app.server, () => {
  if (sockets.size === 1) serial = 0
  return () => undefined
})

app.post('/v1/sessions/:session/events', (request, reply) => {
  const body = String(request.body)
  serial++
  if (texts.length === 0) setImmediate(flush)
  texts.push(
    eventText(serial, `"id":"abcdefghijklmnopqrstu","by":{"subject":"bench"},${body.slice(1)}`),
  )
  return reply.send({
    epoch: 'e',
    first: serial,
    last: serial,
    duplicates: 0,
    durability: 'memory',
  })
})

function flush(): void {
  const frame = textFrame(eventsText('s', texts.join(',')))
  texts = []
  for (const raw of sockets) raw.write(frame)
}

await app.ready()
ready(app.server)
