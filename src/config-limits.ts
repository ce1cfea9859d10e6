import { DEFAULT_LIMITS, type Limits } from './core/limits.ts'
import type { SessionSettings } from './core/transitions/session.ts'
import type { LoadedConfig } from './load-config.ts'

/** The bounds of a node, as far as its operator sets them. */
export function limitsOf(config: LoadedConfig): Limits {
  return {
    ...DEFAULT_LIMITS,
    heartbeatMs: config.heartbeatMs,
    presenceGraceMs: config.presenceGraceMs,
    presenceWindowMs: config.presenceWindowMs,
    presenceTtlMs: config.presenceTtlMs,
    deliveryAfterMs: config.deliveryAfterMs,
    inputNoticeAfterMs: config.inputWebhookAfterMs,
    maxEventBytes: config.maxEventBytes,
    maxFrameBytes: config.maxFrameBytes,
    maxSessionsPerSocket: config.maxSessionsPerSocket,
    framesPerSecond: config.framesPerSecond,
    framesBurst: config.framesBurst,
    maxMembers: config.maxMembers,
    outboxHardBytes: config.outboxBytes,
    outboxBytes: Math.min(DEFAULT_LIMITS.outboxBytes, config.outboxBytes / 2),
  }
}

/** What a session goes by that is made without a word on it. */
export function settingsOf(config: LoadedConfig): SessionSettings {
  return {
    ttlMs: null,
    retention: {
      maxAgeMs: config.retentionMaxAgeMs,
      maxEvents: config.retentionMaxEvents,
      maxBytes: config.retentionMaxBytes,
    },
  }
}
