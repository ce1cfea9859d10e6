/** What will not get better by trying again: somebody has to change a setting. */
interface Reason {
  readonly hopeless: boolean
  /** The rest of "Redis cannot be reached". Never what was sent, or where to: that may hold a password. */
  readonly text: string
}

const AUTHORITY = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
])
const OF_TIME = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])
const REFUSED = /^(WRONGPASS|NOAUTH|NOPERM)\b|^ERR (?:AUTH|invalid password)/

/** Why Redis could not be reached, as an operator can act on it. @param error the latest of a connection; anything */
export function whyUnreachable(error: unknown): Reason {
  const { code, message } = known(error)
  if (AUTHORITY.has(code))
    return stop(`the authority of its certificate is not one of REDIS_CA (${code})`)
  if (OF_TIME.has(code)) return stop(`its certificate is over, or not yet good (${code})`)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return stop(`its certificate is for another host than REDIS_URL names (${code})`)
  if (/^ERR_SSL_.*ALERT/.test(code))
    return stop(
      `it ends the TLS handshake (${code}); where it asks for a certificate, set REDIS_CLIENT_CERT and REDIS_CLIENT_KEY`,
    )
  const refused = REFUSED.exec(message)
  if (refused !== null) return stop(`it refuses the user or password (${refused[1] ?? refused[0]})`)
  if (code === 'ETIMEDOUT') {
    // Redis waits for the end of a command that a TLS handshake never is.
    return { hopeless: false, text: 'ETIMEDOUT; is it spoken to with TLS where it speaks none?' }
  }
  return { hopeless: false, text: code === '' ? 'it does not answer' : code }
}

function stop(text: string): Reason {
  return { hopeless: true, text }
}

function known(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof Error)) return { code: '', message: '' }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return { code, message: error.message }
}
