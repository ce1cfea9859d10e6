/** `heldline/react`: sessions for components. */
export { HeldlineProvider, type HeldlineProviderProps } from './provider.ts'
export {
  useConnection,
  useMessages,
  usePresence,
  useSession,
  type UseSessionOptions,
} from './hooks.ts'
export type { AgentHealth, AgentState } from './agent-health.ts'
export type { Branch } from './branch.ts'
export type { SessionActions } from './actions.ts'
export type { SessionData, SessionHandle } from './session-data.ts'
