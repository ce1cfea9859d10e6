/** `heldline/ai-sdk`: sessions as the transport of the AI SDK's `useChat`. */
export { SessionChatTransport } from './transport.ts'
export type { ObserveOptions, SessionChatTransportOptions } from './options.ts'
