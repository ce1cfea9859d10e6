import { describeControl } from '../contract/control.ts'
import { openAlone } from '../support/redis-store.ts'

describeControl('Redis', openAlone)
