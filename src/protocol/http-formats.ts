import * as z from 'zod/mini'

/** A body that is appended as it arrives: text, or what a framework streams. [P-10.13] */
export const streamText = z.string()

/** What a framework streams, by its name in a request. */
export const FORMATS = ['ui-message-chunks', 'ag-ui'] as const
export type Format = (typeof FORMATS)[number]
