// The page: by Vite while one works on it, or as it was built.
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { handle, type Parts } from './app.ts'

export type Page = (request: IncomingMessage, response: ServerResponse) => unknown

export function serve(parts: Parts, page: Page): Server {
  return createServer((request, response) => {
    const url = URL.parse(request.url ?? '/', 'http://here')
    if (url === null) response.writeHead(400).end()
    else if (url.pathname.startsWith('/api/')) void handle(parts, url, request, response)
    else page(request, response)
  })
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}

/** A folder that `vite build` wrote. */
export function builtPage(folder: string): Page {
  return (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://here')
    const name = pathname === '/' ? '/index.html' : normalize(pathname)
    const file = join(folder, name)
    const type = TYPES[extname(file)]
    stat(file).then(
      (found) => {
        if (type === undefined || !found.isFile()) return response.writeHead(404).end()
        response.writeHead(200, { 'content-type': type })
        return createReadStream(file).pipe(response)
      },
      () => response.writeHead(404).end(),
    )
  }
}
