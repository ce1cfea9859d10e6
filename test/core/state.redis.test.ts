import { describeState } from '../contract/state.ts'
import { openAlone, openOnCluster } from '../support/redis-store.ts'

describeState('Redis', openAlone)
describeState('Redis Cluster', openOnCluster)
