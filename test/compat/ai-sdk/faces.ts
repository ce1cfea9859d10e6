import {
  DefaultChatTransport,
  WebSocketChatTransport,
  type ChatTransport,
  type UIMessage,
} from 'ai'

/** A stock transport of the AI SDK, pointed at a server. */
export interface Face {
  readonly name: string
  /** @param backend where tickets are asked for, as a browser asks its own backend */
  transport(url: string, credential: string, backend?: string): ChatTransport<UIMessage>
  /** One that asks for the latest answer where none is being given. */
  lasting(url: string, credential: string): ChatTransport<UIMessage>
}

export const FACES: readonly Face[] = [
  {
    name: 'DefaultChatTransport',
    transport: (url, credential) =>
      new DefaultChatTransport({
        api: `${url}/compat/ai-sdk/chat`,
        headers: () => ({ authorization: `Bearer ${credential}` }),
      }),
    lasting: (url, credential) =>
      new DefaultChatTransport({
        api: `${url}/compat/ai-sdk/chat`,
        headers: () => ({ authorization: `Bearer ${credential}` }),
        prepareReconnectToStreamRequest: ({ api, id }) => ({
          api: `${api}/${id}/stream?last=true`,
        }),
      }),
  },
  {
    name: 'WebSocketChatTransport',
    transport: (url, credential, backend = url) =>
      new WebSocketChatTransport({
        url: `${url}/compat/ai-sdk/ws`,
        params: async () => ({ ticket: await ticketFor(backend, credential) }),
      }),
    lasting: (url, credential) =>
      new WebSocketChatTransport({
        url: `${url}/compat/ai-sdk/ws`,
        params: async () => ({ ticket: await ticketFor(url, credential) }),
        prepareReconnectToStreamRequest: () => ({ body: { last: true } }),
      }),
  },
]

/** Good for one connection: what a browser gets from its own backend. */
export async function ticketFor(url: string, credential: string): Promise<string> {
  const response = await fetch(`${url}/v1/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: '{}',
  })
  const { ticket } = (await response.json()) as { readonly ticket: string }
  return ticket
}
