import type { Scenario } from '../lib/scenario.ts'

export const atRest: Scenario = { title: 'todo', run: async () => undefined }
