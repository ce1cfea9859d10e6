import { openAlone, openOnCluster } from '../support/redis-store.ts'
import { describeRevocations } from './revocations-contract.ts'

describeRevocations('Redis', openAlone)
describeRevocations('Redis Cluster', openOnCluster)
