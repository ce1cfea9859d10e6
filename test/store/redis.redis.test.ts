import { describeStoreContract } from '../contract/store.ts'
import { openAlone } from '../support/redis-store.ts'

describeStoreContract('redis', openAlone)
