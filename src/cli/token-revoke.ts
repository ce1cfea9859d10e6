import { CliError } from './api.ts'
import type { Io } from './command.ts'
import { connect, parseOptions, text } from './options.ts'

/** `heldline token revoke`: takes tokens back. */
export async function revokeToken(args: readonly string[], io: Io): Promise<void> {
  const parsed = parseOptions(args, {
    jti: { type: 'string' },
    token: { type: 'string' },
    subject: { type: 'string' },
  })
  const token = text(parsed, 'token')
  const jti = token === undefined ? text(parsed, 'jti') : idOf(token)
  const subject = text(parsed, 'subject')
  if ((jti === undefined) === (subject === undefined) || parsed.positionals.length > 0) {
    throw new CliError(
      'unable to revoke; name one of --jti, --token and --subject (see heldline token --help)',
    )
  }
  const body = jti === undefined ? { subject } : { jti }
  const api = connect(parsed, io.env)
  const response = await api.request('/v1/tokens/revoke', { method: 'POST', body })
  io.out(await response.text())
}

/** The id of a token, read here: the token itself goes nowhere. */
function idOf(token: string): string {
  const claims = claimsOf(token)
  const jti = typeof claims === 'object' && claims !== null && 'jti' in claims ? claims.jti : null
  if (typeof jti === 'string') return jti
  throw new CliError('unable to revoke; the token has no jti: revoke its --subject')
}

function claimsOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  } catch (cause) {
    throw new CliError('unable to revoke; that is no token', { cause })
  }
}
