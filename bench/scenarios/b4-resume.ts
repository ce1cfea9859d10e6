import type { Scenario } from '../lib/scenario.ts'

export const resumes: Scenario = { title: 'todo', run: async () => undefined }
