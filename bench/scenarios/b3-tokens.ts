import type { Scenario } from '../lib/scenario.ts'

export const tokens: Scenario = { title: 'todo', run: async () => undefined }
