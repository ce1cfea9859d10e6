import { describeNotices } from '../contract/notices.ts'
import { openAlone, openOnCluster } from '../support/redis-store.ts'

describeNotices('Redis', openAlone)
describeNotices('Redis Cluster', openOnCluster)
