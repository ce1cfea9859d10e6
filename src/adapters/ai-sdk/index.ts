/** `heldline/ai-sdk`: sessions as the transport of the AI SDK's `useChat`. */
export {
  SessionChatTransport,
  type ObserveOptions,
  type SessionChatTransportOptions,
} from './transport.ts'
