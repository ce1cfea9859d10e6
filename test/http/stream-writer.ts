import { onTestFinished } from 'vitest'
import { until } from '../support/until.ts'
import { RawHttp, rawRequest } from './raw-http.ts'

/** A body in chunks, open until it is ended. */
export class StreamWriter {
  readonly raw: RawHttp

  /** @param at the path, and the query where there is one */
  constructor(
    port: number,
    at: string,
    type: string,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.raw = new RawHttp(
      port,
      rawRequest(`POST ${at}`, {
        'Content-Type': type,
        'Transfer-Encoding': 'chunked',
        'Run-Epoch': '1',
        ...headers,
      }),
    )
    onTestFinished(() => this.raw.close())
  }

  send(sent: string): void {
    this.sendBytes(Buffer.from(sent))
  }

  sendBytes(bytes: Buffer): void {
    const size = Buffer.from(`${bytes.length.toString(16)}\r\n`)
    this.raw.write(Buffer.concat([size, bytes, Buffer.from('\r\n')]))
  }

  end(): void {
    this.raw.write('0\r\n\r\n')
  }

  get lines(): readonly { count?: number; error?: { code: string } }[] {
    return this.raw.text
      .split('\r\n')
      .filter((line) => line.startsWith('{'))
      .flatMap((line) => line.trim().split('\n'))
      .map((line) => JSON.parse(line) as { count?: number })
  }

  async untilEvents(count: number): Promise<void> {
    const sum = (): number => this.lines.reduce((all, line) => all + (line.count ?? 0), 0)
    await until(`${count} events are acknowledged`, () => sum() >= count, {
      withinMs: 8000,
      instead: () => this.raw.text,
    })
  }
}
