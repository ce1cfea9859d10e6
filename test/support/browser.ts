import { existsSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import { basename } from 'node:path'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import { chromium, type Browser } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

interface LaunchOptions {
  /** A page that is left is kept whole for whoever goes back to it, as for people; Playwright would have it otherwise. */
  readonly keepPages?: boolean
}

/** A real Chromium without a window. @throws Error that says how to get one */
export async function launchBrowser({ keepPages = false }: LaunchOptions = {}): Promise<Browser> {
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
    // A lamp that turns is painted sixty times a second, without a graphics card: half of the machine, and nothing that is looked at here.
    '--force-prefers-reduced-motion',
  ]
  const ignoreDefaultArgs = keepPages ? ['--disable-back-forward-cache'] : []
  return chromium.launch({ executablePath, args, ignoreDefaultArgs })
}

export interface PageServer {
  readonly origin: string
  close(): Promise<void>
}

/**
 * Serves one page that runs a TypeScript module of the tests, bundled as an application bundles it, in pieces where it imports on demand:
 * from another origin than the server's.
 */
export async function servePage(module: URL): Promise<PageServer> {
  const bundled = await build({
    entryPoints: { page: module.pathname },
    outdir: '/out',
    bundle: true,
    splitting: true,
    write: false,
    format: 'esm',
    target: 'es2023',
    sourcemap: 'inline',
  })
  const scripts = new Map(bundled.outputFiles.map(({ path, text }) => [`/${basename(path)}`, text]))
  const server: Server = createServer((request, response) => {
    const script = scripts.get(new URL(request.url ?? '/', 'http://here').pathname)
    if (script !== undefined) {
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
