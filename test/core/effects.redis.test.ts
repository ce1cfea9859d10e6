import { describeEffects } from '../contract/effects.ts'
import { openAlone, openOnCluster } from '../support/redis-store.ts'

describeEffects('Redis', openAlone)
describeEffects('Redis Cluster', openOnCluster)
