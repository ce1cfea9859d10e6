import { describeControl } from '../contract/control.ts'
import { openAlone, openOnCluster } from '../support/redis-store.ts'

describeControl('Redis', openAlone)
describeControl('Redis Cluster', openOnCluster)
