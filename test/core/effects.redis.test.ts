import { describeEffects } from '../contract/effects.ts'
import { openAlone } from '../support/redis-store.ts'

describeEffects('Redis', openAlone)
