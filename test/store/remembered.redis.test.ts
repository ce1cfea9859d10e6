import { openAlone, openOnCluster } from '../support/redis-store.ts'
import { describeRemembered } from '../contract/remembered.ts'

describeRemembered('Redis', openAlone, 1302)
describeRemembered('Redis Cluster', openOnCluster, 1302)
