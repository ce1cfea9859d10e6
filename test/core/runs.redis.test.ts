import { describeRuns } from '../contract/runs.ts'
import { openAlone, openOnCluster } from '../support/redis-store.ts'

describeRuns('redis', openAlone)
describeRuns('redis cluster', openOnCluster)
