import { describeRuns } from '../contract/runs.ts'
import { openAlone } from '../support/redis-store.ts'

describeRuns('redis', openAlone)
