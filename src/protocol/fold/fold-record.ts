import type { WireEvent } from '../event.ts'
import type {
  Controller,
  DeliveryAcked,
  DeliveryFailed,
  DeliveryPending,
  EffectReserved,
  EffectUnknown,
  StateDeleted,
  StateSet,
} from '../record-events.ts'
import { keepLatest } from './keep-latest.ts'
import type { View } from './view.ts'

/** A key of the shared state. */
export interface StateEntry {
  readonly key: string
  readonly version: number
  readonly value: unknown
}

/** An effect that may be happening: `reserved` while it does, `unknown` when nobody can tell. */
export interface OpenEffect {
  readonly id: string
  readonly run: string
  readonly tool: string | null
  readonly status: 'reserved' | 'unknown'
  readonly at: number
  readonly serial: number
}

/** A result that its person has not taken yet. */
export interface OpenDelivery {
  readonly id: string
  readonly run: string
  readonly to: string
  readonly status: 'pending' | 'failed'
  /** The serial of the run's last event: whoever has read up to it has it. */
  readonly serial: number
  readonly at: number
}

/** Of those that nobody decides on, the latest so many stay; the record has all of them. */
const UNKNOWN_EFFECTS = 200
/** Of those that failed, the latest so many stay. */
export const FAILED_DELIVERIES = 50

/** The data makes sense, so the casts here only name its shape. */
export function foldState(view: View, event: WireEvent): void {
  if (event.type === 'state.set') {
    const { key, version, value } = event.data as StateSet
    view.state.set(key, { key, version, value })
  } else if (event.type === 'state.deleted') {
    view.state.delete((event.data as StateDeleted).key)
  }
}

export function foldEffect(view: View, event: WireEvent): void {
  switch (event.type) {
    case 'effect.reserved': {
      const { effect: id, run, tool = null } = event.data as EffectReserved
      view.effects.set(id, {
        id,
        run,
        tool,
        status: 'reserved',
        at: event.at,
        serial: event.serial,
      })
      return
    }
    case 'effect.unknown': {
      const { effect: id, run } = event.data as EffectUnknown
      const tool = view.effects.get(id)?.tool ?? null
      view.effects.set(id, { id, run, tool, status: 'unknown', at: event.at, serial: event.serial })
      keepLatest(view.effects, UNKNOWN_EFFECTS, ({ status }) => status === 'unknown')
      return
    }
    case 'effect.done':
    case 'effect.retried':
      view.effects.delete((event.data as { readonly effect: string }).effect)
  }
}

export function foldControl(view: View, event: WireEvent): void {
  if (event.type === 'control.taken') view.controller = event.data as Controller
  else if (event.type === 'control.released') view.controller = null
}

export function foldDelivery(view: View, event: WireEvent): void {
  switch (event.type) {
    case 'delivery.pending': {
      const { delivery: id, run, to } = event.data as DeliveryPending
      // One that is replayed is about the same result as before.
      const { serial, at } = view.deliveries.get(id) ?? {
        serial: view.runs.get(run)?.serial ?? event.serial,
        at: event.at,
      }
      view.deliveries.set(id, { id, run, to, status: 'pending', serial, at })
      return
    }
    case 'delivery.failed': {
      const delivery = view.deliveries.get((event.data as DeliveryFailed).delivery)
      if (delivery !== undefined)
        view.deliveries.set(delivery.id, { ...delivery, status: 'failed' })
      keepLatest(view.deliveries, FAILED_DELIVERIES, ({ status }) => status === 'failed')
      return
    }
    case 'delivery.acked':
      view.deliveries.delete((event.data as DeliveryAcked).delivery)
  }
}
