// The name that one came in with, for as long as the tab lives: a reload comes back to where one was. A browser may forbid a page to keep
// anything, which shows in an error at every touch; then a reload leads to the door.
const NAME = 'ferry-desk.name'

/** @param name `null`: nobody is in */
export function remember(name: string | null): void {
  try {
    if (name === null) sessionStorage.removeItem(NAME)
    else sessionStorage.setItem(NAME, name)
  } catch {
    // It is not kept.
  }
}

export function remembered(): string | null {
  try {
    return sessionStorage.getItem(NAME)
  } catch {
    return null
  }
}
