/** One command of the command line. */
export interface Command {
  readonly name: string
  readonly summary: string
  /** The whole text of `--help`. */
  readonly help: string
  run(args: readonly string[], io: Io): Promise<void>
}

/** The world outside, so that commands can be run by tests as they are. */
export interface Io {
  readonly env: NodeJS.ProcessEnv
  readonly stdin: NodeJS.ReadableStream
  readonly out: (line: string) => void
  readonly signal: AbortSignal
}

export const SERVER_HELP = `
  --url <url>    the server (HELDLINE_URL; default http://127.0.0.1:4400)
  --key <key>    <id>:<secret> (HELDLINE_KEY, else the first of API_KEYS, else the
                 one that a development server keeps in its data folder)
  -h, --help     this text`
