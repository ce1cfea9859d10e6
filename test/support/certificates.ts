import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate with its key, in PEM. */
export interface Identity {
  readonly cert: string
  readonly key: string
}

/** A certificate authority of a test's own. */
export interface Authority {
  /** Its certificate, in PEM. */
  readonly cert: string
  /** A certificate for a host name, good for a day from now. */
  issue(host: string): Identity
}

export function createAuthority(name = 'Heldline test authority'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const own = { name, key: keys.privateKey }
  return {
    cert: certificate({ subject: name, publicKey: keys.publicKey, by: own, extensions: [CA] }),
    issue: (host) => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const extensions = [extension('551d11', der(0x30, der(0x82, Buffer.from(host))))]
      return {
        cert: certificate({ subject: host, publicKey, by: own, extensions }),
        key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      }
    },
  }
}

/** A folder for files in PEM. @returns what writes one and gives its path, and what removes all */
export function pemFolder(): { write(name: string, text: string): string; stop(): Promise<void> } {
  const dir = mkdtempSync(join(tmpdir(), 'heldline-certificates-'))
  const write = (name: string, text: string): string => {
    const path = join(dir, `${name}.pem`)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  return {
    write,
    stop: async () => rmSync(dir, { recursive: true, force: true }),
  }
}

interface Wanted {
  readonly subject: string
  readonly publicKey: KeyObject
  readonly by: { readonly name: string; readonly key: KeyObject }
  readonly extensions: readonly Buffer[]
}

/** As little of X.509 (RFC 5280) as TLS asks for, signed with ECDSA and SHA-256. */
function certificate({ subject, publicKey, by, extensions }: Wanted): string {
  const algorithm = der(0x30, oid('2a8648ce3d040302'))
  const serial = randomBytes(8)
  serial[0] = 0x40 // Neither negative nor with a zero before it.
  const hour = 60 * 60 * 1000
  const content = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))), // Version 3.
    der(0x02, serial),
    algorithm,
    nameOf(by.name),
    der(0x30, time(Date.now() - hour), time(Date.now() + 24 * hour)),
    nameOf(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, der(0x30, ...extensions)),
  )
  const signature = sign('sha256', content, by.key)
  const whole = der(0x30, content, algorithm, der(0x03, Buffer.from([0]), signature))
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const { length } = body
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length]
  return Buffer.concat([Buffer.from([tag, ...head]), body])
}

const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))

function extension(id: string, value: Buffer, critical = false): Buffer {
  const mark = critical ? [der(0x01, Buffer.from([0xff]))] : []
  return der(0x30, oid(id), ...mark, der(0x04, value))
}

/** Basic constraints: it may vouch for others. */
const CA = extension('551d13', der(0x30, der(0x01, Buffer.from([0xff]))), true)

/** One common name. */
function nameOf(name: string): Buffer {
  return der(0x30, der(0x31, der(0x30, oid('550403'), der(0x0c, Buffer.from(name)))))
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/\D/g, '').slice(2, 14)
  return der(0x17, Buffer.from(`${digits}Z`))
}
