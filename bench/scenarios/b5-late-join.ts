import type { Scenario } from '../lib/scenario.ts'

export const lateJoiners: Scenario = { title: 'todo', run: async () => undefined }
