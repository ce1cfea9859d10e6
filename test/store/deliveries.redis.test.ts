import { describeDeliveries } from '../contract/deliveries.ts'
import { openAlone, openOnCluster } from '../support/redis-store.ts'

describeDeliveries('Redis', openAlone)
describeDeliveries('Redis Cluster', openOnCluster)
