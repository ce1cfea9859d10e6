import { CliError } from './api.ts'
import { SERVER_HELP, type Command } from './command.ts'
import { connect, duration, parseOptions, text, texts } from './options.ts'
import { revokeToken } from './token-revoke.ts'

export const token: Command = {
  name: 'token',
  summary: 'mint a token for a browser, or take one back',
  help: `heldline token --subject <name> --session <pattern> [options]
heldline token revoke --jti <id> | --token <token> | --subject <name>

Mints a token and prints it.

  --subject <name>      who it is for
  --session <pattern>   an id, or a prefix that ends in *; may stand several times
  --can <capability>    subscribe, history, send, publish, signal, presence, create,
                        manage, list, tokens; several times or by commas
                        (default: subscribe,history,send,signal,presence)
  --kind <kind>         human, agent or supervisor (default human)
  --ttl <time>          15m, 2h … at most 24h (default 1h)

revoke takes tokens back, on all nodes; what is open with them is closed in seconds.

  --jti <id>            the token of that id
  --token <token>       this token; only its id is sent
  --subject <name>      all tokens of a subject that were issued until now${SERVER_HELP}`,
  async run(args, io) {
    const [first, ...rest] = args
    if (first === 'revoke') return revokeToken(rest, io)
    const parsed = parseOptions(args, {
      subject: { type: 'string' },
      session: { type: 'string', multiple: true },
      can: { type: 'string', multiple: true },
      kind: { type: 'string' },
      ttl: { type: 'string' },
    })
    const subject = text(parsed, 'subject')
    const sessions = texts(parsed, 'session')
    if (subject === undefined || sessions.length === 0) {
      throw new CliError(
        'unable to mint; --subject and --session are needed (see heldline token --help)',
      )
    }
    const capabilities = texts(parsed, 'can')
    const body = {
      subject,
      sessions,
      capabilities:
        capabilities.length > 0
          ? capabilities
          : ['subscribe', 'history', 'send', 'signal', 'presence'],
      kind: text(parsed, 'kind') ?? 'human',
      ttlMs: duration(text(parsed, 'ttl') ?? '1h'),
    }
    const response = await connect(parsed, io.env).request('/v1/tokens', { method: 'POST', body })
    const minted = (await response.json()) as { token: string }
    io.out(minted.token)
  },
}
