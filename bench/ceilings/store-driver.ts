// A process of its own for the ceilings of the stores, so that they have the cores that a server would have.
import { redisScript, type ScriptParams } from './redis-script.ts'
import { sqliteTransaction, type TransactionParams } from './sqlite-transaction.ts'

export type StoreOrder =
  | { readonly kind: 'redis'; readonly params: ScriptParams }
  | { readonly kind: 'sqlite'; readonly params: TransactionParams }

process.on('message', (order: StoreOrder) => {
  void run(order).then((perSecond) => process.send?.(perSecond))
})
process.on('disconnect', () => process.exit(0))

async function run(order: StoreOrder): Promise<number> {
  return order.kind === 'redis' ? redisScript(order.params) : sqliteTransaction(order.params)
}
