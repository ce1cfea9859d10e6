import type { FastifyInstance } from 'fastify'
import type { Mount } from './ports.ts'

/** A mounted route is given its body as text, and not much of it. */
export const MOUNT_BYTES = 16 * 1024

/** Carries routes for parts of the server that have no web framework of their own. */
export function installMounts(app: FastifyInstance, mounts: readonly Mount[]): void {
  for (const mount of mounts) {
    app.route({
      method: mount.method,
      url: mount.path,
      onRequest: (request, _reply, done) => {
        request.plainBytes = MOUNT_BYTES
        done()
      },
      handler: async (request, reply) => {
        const [path = ''] = request.url.split('?', 1)
        const body = typeof request.body === 'string' ? request.body : ''
        const answer = await mount.handle({ path: decodeURIComponent(path), body })
        return reply.code(answer.status).headers(answer.headers).send(bytesOf(answer.body))
      },
    })
  }
}

/** Bytes, so that nothing on the way guesses at their type. */
function bytesOf(body: string | Uint8Array): Buffer {
  return typeof body === 'string'
    ? Buffer.from(body)
    : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Over 0: the body is read as text of at most so many bytes, whatever its type. */
    plainBytes: number
  }
}
