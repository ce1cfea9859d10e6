/** What the parts of this example call the same. */
export const AGENT = 'ferry-desk'
/** Begins the id of each of its sessions: visitors get tokens for these alone. */
export const PREFIX = 'chat-'
