import { openAlone, openOnCluster } from '../support/redis-store.ts'
import { describeTickets } from './tickets-contract.ts'

describeTickets('Redis', openAlone)
describeTickets('Redis Cluster', openOnCluster)
