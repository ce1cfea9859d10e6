import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import { chromium, type Browser } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** A real Chromium without a window. @throws Error that says how to get one */
export async function launchBrowser(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM_BIN'] ?? PLACES.find((path) => existsSync(path))
  if (executablePath === undefined) {
    throw new Error('unable to find Chromium; npm run test:setup installs it, or set CHROMIUM_BIN')
  }
  const args = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ]
  return chromium.launch({ executablePath, args })
}

export interface PageServer {
  readonly origin: string
  close(): Promise<void>
}

/** Serves one page that runs a TypeScript module of the tests, bundled as an application bundles it: from another origin than the server's. */
export async function servePage(module: URL): Promise<PageServer> {
  const bundled = await build({
    entryPoints: [module.pathname],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2023',
    sourcemap: 'inline',
  })
  const script = bundled.outputFiles[0]?.text ?? ''
  const server: Server = createServer((request, response) => {
    if (request.url?.startsWith('/page.js') === true) {
      response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    } else {
      response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(
          '<!doctype html><meta charset="utf-8"><title>test</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>',
        )
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
