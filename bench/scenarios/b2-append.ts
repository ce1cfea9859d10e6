import type { Scenario } from '../lib/scenario.ts'

export const appends: Scenario = { title: 'todo', run: async () => undefined }
