import { describeStoreContract } from '../contract/store.ts'
import { openOnCluster } from '../support/redis-store.ts'

describeStoreContract('redis cluster', openOnCluster)
