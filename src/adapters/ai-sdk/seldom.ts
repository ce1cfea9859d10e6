/** What few chats come to: fetched then. */
export { askAgain } from './ask-again.ts'
export { stop } from './stop.ts'
