import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

/** Speaks as much of a Sentinel's language as a client needs, and answers when the test says so. */
export interface FakeSentinel {
  readonly url: string
  /** Connections that want to hear of failovers. */
  readonly subscribers: number
  /** Questions for the primary that are held back. */
  readonly held: number
  /** Holds back every answer to who is primary, from now on. */
  hold(): void
  /** Gives what was held back, and answers at once again. */
  release(): void
  /** Says to all that hear it that the primary is another one. */
  announceFailover(): void
  close(): Promise<void>
}

/** @param primaryPort where the primary is, on this machine */
export async function startFakeSentinel(primaryPort: number): Promise<FakeSentinel> {
  const sockets = new Set<Socket>()
  const subscribers = new Set<Socket>()
  const held: (() => void)[] = []
  let holding = false

  const answer = (socket: Socket, command: readonly string[]): void => {
    const [name, ...args] = command.map((word) => word.toLowerCase())
    if (name === 'hello') socket.write('%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n')
    else if (name === 'subscribe') {
      subscribers.add(socket)
      socket.write('>3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n')
    } else if (name !== 'sentinel') socket.write('+OK\r\n')
    else if (args[0] !== 'get-master-addr-by-name') socket.write('*0\r\n')
    else {
      const reply = `*2\r\n$9\r\n127.0.0.1\r\n$${`${primaryPort}`.length}\r\n${primaryPort}\r\n`
      if (holding) held.push(() => socket.write(reply))
      else socket.write(reply)
    }
  }

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      sockets.delete(socket)
      subscribers.delete(socket)
    })
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
      for (;;) {
        const command = takeCommand(text)
        if (command === null) break
        text = text.slice(command.length)
        answer(socket, command.words)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')

  return {
    url: `redis://127.0.0.1:${address.port}`,
    get subscribers() {
      return subscribers.size
    },
    get held() {
      return held.length
    },
    hold: () => {
      holding = true
    },
    release: () => {
      holding = false
      for (const give of held.splice(0)) give()
    },
    announceFailover: () => {
      for (const socket of subscribers)
        socket.write('>3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$4\r\nmain\r\n')
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The first command of a stream of them, and how long it is there; `null` while it is not all there. */
function takeCommand(
  text: string,
): { readonly words: readonly string[]; readonly length: number } | null {
  const head = /^\*(\d+)\r\n/.exec(text)
  if (head === null) return null
  const words: string[] = []
  let at = head[0].length
  for (let word = 0; word < Number(head[1]); word++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 16))
    if (size === null) return null
    const [start, length] = [at + size[0].length, Number(size[1])]
    if (text.length < start + length + 2) return null
    words.push(text.slice(start, start + length))
    at = start + length + 2
  }
  return { words, length: at }
}
