import { createServer, type ServerResponse } from 'node:http'
import { once } from 'node:events'

/** The outside world of an agent: a server that does, once more, whatever it is asked, and cannot be asked to undo it. */
export async function startCountingServer() {
  const done: unknown[] = []
  const held: ServerResponse[] = []
  let holding = false
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text
    })
    request.on('end', () => {
      done.push(JSON.parse(body))
      if (holding) held.push(response)
      else response.end(JSON.stringify({ id: `done-${done.length}` }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return {
    url: `http://127.0.0.1:${address.port}/`,
    /** What it has done, in order. */
    done,
    /** Does what it is asked, and does not answer. */
    hold: (on: boolean) => {
      holding = on
    },
    close: async () => {
      for (const response of held) response.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
