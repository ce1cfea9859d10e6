import { CliError } from './api.ts'
import type { Command, Io } from './command.ts'
import { publish } from './publish.ts'
import { sessions } from './sessions.ts'
import { tail } from './tail.ts'
import { token } from './token.ts'

const COMMANDS: readonly Command[] = [token, sessions, tail, publish]

export const HELP = `heldline <command> [options]

  serve      start the server; settings come from the environment
${COMMANDS.map((command) => `  ${command.name.padEnd(10)} ${command.summary}`).join('\n')}

heldline <command> --help tells more.`

/** Runs one command. @returns the exit code; what went wrong goes to `fail`, in words */
export async function runCommand(
  args: readonly string[],
  io: Io,
  fail: (line: string) => void,
): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    io.out(HELP)
    return 0
  }
  const command = COMMANDS.find((one) => one.name === name)
  if (command === undefined) {
    fail(`heldline: there is no command ${name}\n\n${HELP}`)
    return 2
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    io.out(command.help)
    return 0
  }
  try {
    await command.run(rest, io)
    return 0
  } catch (error) {
    if (io.signal.aborted) return 0
    fail(`heldline ${name}: ${error instanceof CliError ? error.message : String(error)}`)
    return 1
  }
}
