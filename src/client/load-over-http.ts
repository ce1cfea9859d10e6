import { codeLoader } from './load-code.ts'
import type { overHttp } from './over-http.ts'

export interface OverHttpModule {
  readonly overHttp: typeof overHttp
}

export const loadOverHttp: () => Promise<OverHttpModule> = codeLoader(
  () => import('./over-http.ts'),
)
