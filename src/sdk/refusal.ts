/** What an answer that is no success says, as client and agent tell it in errors of their own. */
export interface Refusal {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
  /** In milliseconds, where the answer said. */
  readonly retryAfterMs: number | undefined
  /** What the problem held, with the `status`. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** Reads a problem document [P-8.1], or the answer of something that stands between us and the server. Never throws. */
export async function readRefusal(response: Response): Promise<Refusal> {
  const { status, headers } = response
  const retryAfter = Number(headers.get('retry-after') ?? Number.NaN)
  const problem = await readProblem(response)
  const { code, detail, title, retryable } = problem
  return {
    code: typeof code === 'string' ? code : `http_${status}`,
    message: sentence(detail) ?? sentence(title) ?? `the server answered ${status}`,
    retryable: typeof retryable === 'boolean' ? retryable : mayPass(status),
    retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : undefined,
    facts: { ...problem, status },
  }
}

/** Of what a proxy says by itself: that a request came to it too slowly, or too often, may be otherwise soon. */
const mayPass = (status: number): boolean => status >= 500 || status === 429 || status === 408

function sentence(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

async function readProblem(response: Response): Promise<Readonly<Record<string, unknown>>> {
  try {
    const body: unknown = await response.json()
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {}
  } catch {
    // An answer of something between us and the server.
    return {}
  }
}
