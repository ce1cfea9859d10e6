// The ceiling of a late joiner: one GET of the text as it is folded, written to a bare socket.
import { Redis } from 'ioredis'
import { createServer } from 'node:http'
import { bareWs, ready, textFrame } from './bare-ws.ts'

const { REDIS_URL = '', LENGTH = '0' } = process.env
const redis = new Redis(REDIS_URL)
const message = { id: 'm', serial: 1, parts: [{ type: 'text', text: 'x'.repeat(Number(LENGTH)) }] }
await redis.set('folded', JSON.stringify(message))

async function give(write: (frame: Buffer) => void): Promise<void> {
  const text = (await redis.get('folded')) ?? ''
  write(textFrame(`{"type":"snapshot","position":"e.1.abcdefgh","messages":[${text}],"last":true}`))
}

const server = createServer()
bareWs(server, (raw) => () => void give((frame) => raw.write(frame)))
ready(server)
