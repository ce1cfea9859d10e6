import { CARRIERS, REFUSERS, RESUME_RESULTS, WAYS } from '../../core/metrics.ts'
import { RESET_REASONS } from '../../protocol/frames-down.ts'
import { CLOSE_REASONS } from './close-reason.ts'

/** The values that a label can have; a sentence where another table of the source bounds them. */
export type LabelValues = readonly string[] | string

export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: Readonly<Record<string, LabelValues>>
  readonly about: string
  /** What whoever operates this does when it moves. */
  readonly moves: string
  /** Of a histogram: upper bounds, in its unit. */
  readonly buckets?: readonly number[]
}

const transport = CARRIERS
const way = WAYS
const code = 'a code of errors.md'

/** Requests and commits: from what a commit in memory takes to what nobody waits for. */
const WRITE_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
/** Returns and webhooks: whatever a network takes. */
const SLOW_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const counter = (
  labels: MetricRow['labels'],
  about: string,
  moves: string,
): MetricRow & { readonly type: 'counter' } => ({ type: 'counter', labels, about, moves })

const gauge = (
  labels: MetricRow['labels'],
  about: string,
  moves: string,
): MetricRow & { readonly type: 'gauge' } => ({ type: 'gauge', labels, about, moves })

const histogram = (
  labels: MetricRow['labels'],
  buckets: readonly number[],
  about: string,
  moves: string,
): MetricRow & { readonly type: 'histogram'; readonly buckets: readonly number[] } => ({
  type: 'histogram',
  labels,
  buckets,
  about,
  moves,
})

/** THE table of metrics; docs/metrics.md is rendered from it. Counts are of this node, since it started. No label ever holds an id. */
export const METRICS = {
  heldline_connections: gauge(
    { transport },
    'Sockets and streams of server-sent events that are open.',
    'Near MAX_CONNECTIONS: add a node. A sudden fall: see why they closed.',
  ),
  heldline_connections_opened_total: counter(
    { transport },
    'Sockets and streams that were opened, first ones and those of clients that come back.',
    'Rises while connections do not: clients cannot stay. See why they close.',
  ),
  heldline_connections_closed_total: counter(
    { transport, reason: CLOSE_REASONS },
    'Sockets and streams that are gone, by why. `broken`: without a word (a network, a proxy, a laptop that sleeps); `gone`: a stream whose client went, which says no more.',
    '`broken` rises: look at what stands in front (proxies.md). `timeout`: networks that swallow packets. `slow_consumer`: see heldline_outbox_full_total. `bad_frame`, `too_fast`: a client that misbehaves.',
  ),
  heldline_reconnects_total: counter(
    { transport: transport.filter((one) => one !== 'ai_sdk') },
    'Sockets and streams whose client was here before: the first that it asks for is what follows a position. Recovery of a transport; a socket with ten sessions counts once.',
    'Rises with heldline_runs_started_total unchanged: connections do not last. Harmless to sessions as long as resumes are `events`, `folded` or `current`.',
  ),
  heldline_ping_timeouts_total: counter(
    {},
    'Sockets that were ended since their client did not answer the last ping.',
    'Rises: clients vanish without a word; a path drops idle connections in silence.',
  ),
  heldline_sent_bytes_total: counter(
    { transport },
    'Bytes handed to sockets and streams, compression and TLS not counted.',
    'What the network of this node has to carry.',
  ),
  heldline_sessions_followed: gauge(
    {},
    'Sessions that somebody follows on this node. One that nobody follows costs nothing.',
    'For planning: memory grows with it.',
  ),
  heldline_resumes_total: counter(
    { result: RESUME_RESULTS },
    'Sessions that a reader went on with from a position. Recovery of a session; each of a socket counts. `current`: it had missed nothing; `events`, `folded`: it was given what it had missed; `reset`: that was not there any more; `unfinished`: it left before it had everything.',
    '`reset` beyond 0.1 %: see heldline_resets_total. `unfinished` rises: readers are cut again before they have caught up.',
  ),
  heldline_resume_duration_seconds: histogram(
    { result: RESUME_RESULTS.filter((result) => result !== 'unfinished') },
    SLOW_SECONDS,
    'From a reader’s word that it is back until everything that it had missed then is handed to its connection (`reset`: until that is found out).',
    'p95 beyond 1 s: the store reads slowly (heldline_store_duration_seconds{op="read"}), or connections take little (heldline_outbox_full_total).',
  ),
  heldline_gap_events_recovered_total: counter(
    {},
    'Events that readers had missed and were given when they came back; of what was folded, the events that it stands for.',
    'What people would have lost without a log.',
  ),
  heldline_gap_bytes_recovered_total: counter(
    {},
    'The bytes that told readers of what they had missed.',
    'What reconnects cost. Large against heldline_sent_bytes_total: connections do not last.',
  ),
  heldline_resets_total: counter(
    { reason: RESET_REASONS },
    'Positions that could not be given: the reader was told so, and got a snapshot.',
    '`trimmed`: retention is shorter than people are away. `epoch`: sessions were removed, or a backup was restored. `ahead`, `fork`: the store lost acknowledged writes (durability.md). `corrupt`: restore from a backup.',
  ),
  heldline_fanout_frames_total: counter(
    {},
    'Frames of events handed to one reader each.',
    'What subscribers cost. With heldline_fanout_events_total: how many events travel together.',
  ),
  heldline_fanout_events_total: counter(
    {},
    'Events handed to readers, each reader counted.',
    'Over heldline_events_total: how many follow, on average.',
  ),
  heldline_outbox_full_total: counter(
    {},
    'How often what waited for one reader reached its limit: its events wait in the store until it has taken some. One that takes nothing is closed (`slow_consumer`).',
    'Rises: readers on slow networks, or pages that hang. Nobody else is delayed, and nothing is lost.',
  ),
  heldline_signals_dropped_total: counter(
    {},
    'Signals (typing, cursors) that a reader was spared since it does not keep up.',
    'As for heldline_outbox_full_total.',
  ),
  heldline_appends_total: counter(
    { way, result: ['ok', 'duplicate', 'refused', 'unknown', 'failed'] },
    'Requests, batches of a stream and frames that append. `duplicate`: a retry, all of it there already; `unknown`: nobody can tell, and it is to be sent again.',
    '`unknown` or `failed` beyond 0.1 %: see heldline_store_errors_total. `refused` rises: see heldline_refusals_total. `duplicate` rises: agents repeat what arrived; answers are lost on the way to them.',
  ),
  heldline_append_duration_seconds: histogram(
    { way },
    WRITE_SECONDS,
    'From the checked request to the answer of the store: what an agent waits for, without its network.',
    'p99 rises: compare with heldline_store_duration_seconds{op="commit"}; where only this one rises, the event loop is late (nodejs_eventloop_lag_p99_seconds).',
  ),
  heldline_appended_events_total: counter(
    { way },
    'Events of appends that were taken, those that were there already included.',
    'The load that agents and people bring.',
  ),
  heldline_appended_bytes_total: counter(
    { way },
    'The bytes of their data.',
    'With the line above: the size of an event.',
  ),
  heldline_events_total: counter(
    { type: 'a type of event; `x` for all that are an application’s own' },
    'Events that this node committed, its own included. Over all nodes, each event of a log is counted once.',
    'What happens, by kind.',
  ),
  heldline_commits_total: counter(
    {
      outcome: [
        'committed',
        'conflict',
        'duplicate',
        'replayed',
        'missing',
        'exists',
        'fenced',
        'gap',
      ],
    },
    'Commits that the store answered. `conflict`: somebody else changed the same thing, and it was decided again; `duplicate`, `replayed`: a retry was recognised.',
    '`conflict` beyond a tenth of `committed`: many write one session’s state or messages at once. `fenced`: processes that were taken over still write.',
  ),
  heldline_store_duration_seconds: histogram(
    { op: ['commit', 'read', 'heads', 'fields', 'list', 'due', 'trim', 'remove'] },
    WRITE_SECONDS,
    'How long the store takes to answer.',
    '`commit` rises: the disk’s fsync, or the network to Redis and its load.',
  ),
  heldline_store_errors_total: counter(
    { op: 'an operation of the store', code },
    'What the store could not do. `internal` is a mistake of the server: see the log.',
    '`store_unavailable`: reach the store. `outcome_unknown`: it was lost in the middle. `storage_full`: make room now. `event_corrupt`: restore from a backup.',
  ),
  heldline_store_durability_info: gauge(
    { durability: ['memory', 'async', 'fsync', 'replicated'] },
    '1 for what acknowledged events survive here, 0 for the rest.',
    'Not what you meant to configure: durability.md.',
  ),
  heldline_trimmed_events_total: counter(
    {},
    'Events that retention dropped.',
    'Stands still while logs grow: nobody sweeps; see the log.',
  ),
  heldline_runs_started_total: counter(
    {},
    'Runs that were started.',
    'What most of the numbers here are to be divided by.',
  ),
  heldline_runs_ended_total: counter(
    { outcome: ['finished', 'failed', 'cancelled', 'lost'] },
    'Runs that are over. `lost`: abandoned, nothing was heard of the agent for its whole lease; where another process takes it over it ends once more.',
    '`lost` rises: agents die (memory, deploys without a drain) or cannot reach the server. `failed`: what agents say of themselves.',
  ),
  heldline_runs_stalled_total: counter(
    {},
    'How often nothing was heard of a run’s agent for most of its lease, its socket was lost, or it said of itself that it is stuck.',
    'Rises without `lost`: agents that block their event loop, or leases that are too short.',
  ),
  heldline_deliveries_total: counter(
    { state: ['pending', 'read', 'webhook', 'failed'] },
    'Results for people: `pending` when their run ends (or they are replayed), then `read` by their person, taken by the `webhook`, or `failed` for good: a final answer that reached nobody.',
    '`failed` rises: look into `GET …/deliveries`, repair the receiver, replay them. `pending` outruns the other three: results pile up unread.',
  ),
  heldline_webhook_tries_total: counter(
    { outcome: ['taken', 'refused', 'failed'] },
    'Tries of the webhook. `refused`: the receiver wants it never again (410).',
    '`failed` rises: the receiver is down or slow; the log says why, in a word.',
  ),
  heldline_webhook_duration_seconds: histogram(
    {},
    SLOW_SECONDS,
    'How long a try takes.',
    'Near 10 s: the receiver should answer first and work later.',
  ),
  heldline_webhook_waiting: gauge(
    {},
    'What is due for the webhook and waits for one of the 16 places of this node.',
    'Above 0 for minutes: the receiver is too slow for what it is sent.',
  ),
  heldline_http_requests_total: counter(
    {
      route: 'a method and the template of a path; `none` where there is no such route',
      status: ['1xx', '2xx', '3xx', '4xx', '5xx'],
    },
    'Answers over HTTP; of a stream, when it is over.',
    '`5xx` rises: see the log, and heldline_store_errors_total.',
  ),
  heldline_refusals_total: counter(
    { face: REFUSERS, code },
    'What clients were refused. `rate_limited`: too much at once, or too many wrong credentials.',
    'By the code: errors.md says what each means. `unauthenticated` from many: somebody guesses. `contention`: too many write the same thing.',
  ),
  heldline_log_lines_total: counter(
    { level: ['info', 'warn', 'error'] },
    'Lines of the log, those included that LOG_LEVEL leaves out.',
    '`error` is a mistake of the server: each is worth a look.',
  ),
  heldline_draining: gauge(
    {},
    '1 while this node goes down.',
    'Stays 1: its end takes longer than DRAIN_MS.',
  ),
} as const satisfies Record<`heldline_${string}`, MetricRow>

export type MetricName = keyof typeof METRICS
export type SeriesName = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends 'histogram' ? never : Name
}[MetricName]
export type HistogramName = Exclude<MetricName, SeriesName>

/** What one of it is. */
export function unitOf(name: string): string {
  return /_(seconds|bytes)(?:_|$)/.exec(name)?.[1] ?? 'count'
}
