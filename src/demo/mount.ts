/** A route that the HTTP face carries for somebody else, who so needs no web framework. */
export interface Mount {
  readonly method: 'GET' | 'POST'
  /** Exact, or a prefix that ends in `*`. */
  readonly path: string
  handle(request: MountRequest): Promise<MountResponse>
}

export interface MountRequest {
  /** The path without its query, decoded once. */
  readonly path: string
  /** The body as text; empty where there is none. At most 16 KiB. */
  readonly body: string
}

export interface MountResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array
}
