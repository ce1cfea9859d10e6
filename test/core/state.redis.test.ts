import { describeState } from '../contract/state.ts'
import { openAlone } from '../support/redis-store.ts'

describeState('Redis', openAlone)
