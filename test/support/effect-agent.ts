/**
 * An agent as a process of its own: it takes the run of a trigger, charges a card and sends a mail, each guarded by an effect. At the step
 * that HOLD names (`<tool>:<step>`) it says so and does nothing more, until somebody kills it.
 */
/** What it says of a tool, or of the step where it holds. */
export interface Said {
  readonly at?: string
  readonly tool?: string
  readonly effect?: string
  readonly status?: string
}

const env = (name: string): string => process.env[name] ?? ''

const url = `${env('URL')}/v1/sessions/${env('SESSION')}`

interface Answered {
  readonly status: number
  readonly json: Record<string, unknown>
}

async function ask(path: string, body: unknown, epoch?: number): Promise<Answered> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${env('KEY')}`,
      'content-type': 'application/json',
      ...(epoch !== undefined && { 'run-epoch': String(epoch) }),
    },
    body: JSON.stringify(body),
  })
  const json = (await response.json()) as Record<string, unknown>
  if (!response.ok) throw new Error(`${path}: ${JSON.stringify(json)}`)
  return { status: response.status, json }
}

function say(line: Said): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

async function step(name: string): Promise<void> {
  if (env('HOLD') !== name) return
  say({ at: name })
  // Keeps the process there until it is killed.
  await new Promise(() => setInterval(() => undefined, 1000))
}

async function hold(): Promise<{ readonly run: string; readonly epoch: number }> {
  const producer = `process-${process.pid}`
  const { json } = await ask('/runs', { trigger: 'u1', producer })
  const run = String(json['run'])
  if (typeof json['epoch'] === 'number') return { run, epoch: json['epoch'] }
  const adopted = await ask(`/runs/${run}/adopt`, { producer })
  return { run, epoch: Number(adopted.json['epoch']) }
}

async function guarded(
  tool: string,
  args: object,
  { run, epoch }: Awaited<ReturnType<typeof hold>>,
) {
  await step(`${tool}:before`)
  const { json } = await ask('/effects', { run, tool, args }, epoch)
  const effect = String(json['effect'])
  const status = String(json['status'])
  if (status !== 'reserved') return say({ tool, effect, status })
  await step(`${tool}:reserved`)
  const response = await fetch(env(tool.toUpperCase()), {
    method: 'POST',
    body: JSON.stringify(args),
  })
  const result: unknown = await response.json()
  await step(`${tool}:called`)
  await ask(`/effects/${effect}/done`, { run, result }, epoch)
  await step(`${tool}:recorded`)
  say({ tool, effect, status: 'done' })
}

const held = await hold()
await guarded('card', { amount: 42, currency: 'EUR' }, held)
await guarded('mail', { to: 'ada@example.com' }, held)
