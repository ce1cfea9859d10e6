/** A data folder that is none: nothing of it is kept, for a look, and for tests. */
export const IN_MEMORY = ':memory:'
