import { renderEnvExample } from './config.ts'

/** The whole text of `heldline serve --help`: every setting there is, as in `.env.example`. */
export function serveHelp(): string {
  // The first line is for whoever has the file before them.
  const settings = renderEnvExample().split('\n').slice(2).join('\n')
  return `heldline serve

Starts the server, and runs until SIGTERM or SIGINT moves its clients elsewhere and ends it; a second one ends it at once.
It has no options: settings come from the environment, and what is not set is as it stands here.

${settings}`
}
