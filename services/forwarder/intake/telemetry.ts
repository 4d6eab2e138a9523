// What the forwarder tells of itself: named events, each with its counters and its log line. Only this file knows
// metrics and log. The ledger of the edge: received = produced + rejected + dropped + in flight, which is what is in
// hand and what is in the spool; its imbalance is a metric, and always 0.

import { AccessLog } from '#shared/access-log.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import { LimitedLabel, type Metrics } from '#shared/metrics.ts';
import type { SpoolObserver } from '#shared/queue/spooled/local/spool-observer.ts';
import { type InputName, LISTENERS, type Undecodable } from './chunk.ts';

/** Upper bounds in seconds: Kafka's acks=all takes 2 to 5 ms where all is well. */
const ACK_SECONDS_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** In place of an input: what is taken from a spool that another process, or this one before its restart, has left. */
const SPOOL = 'spool';

/** What the ledger must hear of a spool. */
export type SpoolLedger = Pick<SpoolObserver, 'spooled' | 'found' | 'fed' | 'deadLettered' | 'dropped'>;

/** Why a sender was not let in. The operator sees it; the sender never does. */
export type AuthFailure =
  | 'network_refused'
  | 'tls_failed'
  | 'certificate_refused'
  | 'handshake_malformed'
  | 'handshake_timeout'
  | 'shared_key_wrong'
  | 'user_wrong'
  | 'token_missing'
  | 'token_wrong'
  | 'login_limited';

/**
 * Why we closed a connection that did nothing forbidden; `too_many`, `too_fast`: at the door, before a byte was read;
 * `pipelined`: it sent more requests than anybody does before their answers.
 */
export type ConnectionEnd =
  | 'too_many'
  | 'too_fast'
  | 'slow_when_full'
  | 'waiting_when_full'
  | 'frame_timeout'
  | 'answers_unread'
  | 'idle_timeout'
  | 'pipelined';
/** Of metrics that the admin page counts too. */
export const AUTH_FAILURES = 'Senders, operators and scrapers that were not let in.';
export const CONNECTIONS_CLOSED = 'Connections that were closed because of a limit.';
/** Tenants that are counted each by its name. */
const TENANTS_MAX = 100;

export class ForwarderTelemetry {
  readonly #log: Log;
  readonly #access: AccessLog;
  readonly #metrics: Metrics;
  readonly #received;
  readonly #bytes;
  readonly #produced;
  readonly #rejected;
  readonly #chunksRejected;
  readonly #dropped;
  readonly #ackSeconds;
  readonly #authFailures;
  readonly #udpReceiveDrops;
  readonly #connectionsEnded;
  readonly #equalChunks;
  readonly #throttled;
  readonly #addressThrottled;
  readonly #tenantReceived;
  readonly #tenantBytes;
  readonly #tenantRejected;
  readonly #tenants = new LimitedLabel(TENANTS_MAX);
  readonly #connections = new Map<InputName, number>(LISTENERS.map((input) => [input, 0]));
  /** Counted on its own, so that the ledger can be wrong, and says so. */
  #inHand = 0;
  #eventsInSpool: () => number = () => 0;

  constructor(metrics: Metrics, log: Log, clock: Clock = systemClock) {
    this.#log = log;
    this.#access = new AccessLog(log, clock);
    this.#metrics = metrics;
    this.#received = metrics.counter('events_received_total', 'Events that an input took from its senders.', ['input']);
    this.#bytes = metrics.counter('bytes_received_total', 'Bytes of those events as they were sent.', ['input']);
    this.#produced = metrics.counter('events_produced_total', 'Events that the queue holds durably.');
    this.#rejected = metrics.counter(
      'events_rejected_total',
      'Events that were refused, so that the sender tries again.',
      ['input', 'reason'],
    );
    this.#chunksRejected = metrics.counter(
      'chunks_rejected_total',
      'Frames and bodies that could not be taken as events.',
      ['input', 'reason'],
    );
    this.#ackSeconds = metrics.histogram('ack_seconds', 'Time from a chunk in hand to its answer.', ACK_SECONDS_BOUNDS);
    this.#authFailures = metrics.counter('auth_failures_total', AUTH_FAILURES, ['input', 'reason']);
    this.#tenantReceived = metrics.counter(
      'tenant_events_received_total',
      'Events of a tenant; the first hundred tenants by name.',
      ['tenant'],
    );
    this.#tenantBytes = metrics.counter('tenant_bytes_received_total', 'Bytes of those events as they were sent.', [
      'tenant',
    ]);
    this.#tenantRejected = metrics.counter('tenant_events_rejected_total', 'Events of a tenant that were refused.', [
      'tenant',
    ]);
    this.#dropped = metrics.counter('events_dropped_total', 'Events that were given up.', ['stage', 'reason']);
    this.#udpReceiveDrops = metrics.counter(
      'udp_receive_drops_total',
      'Datagrams that the kernel dropped because the socket was not read fast enough (Linux).',
      ['input'],
    );
    this.#connectionsEnded = metrics.counter('connections_closed_total', CONNECTIONS_CLOSED, ['input', 'reason']);
    this.#equalChunks = metrics.counter(
      'equal_chunks_total',
      'Chunks that had the id and content of one that was acked on the same connection, and were taken as new events.',
      ['input'],
    );
    this.#throttled = metrics.counter(
      'tenant_throttled_total',
      'Times that a tenant sent more than its rate and was not read for a while.',
      ['tenant'],
    );
    this.#addressThrottled = metrics.counter(
      'address_throttled_total',
      'Times that an address sent more bytes than its rate and was not read for a while.',
    );
    metrics.gauge('connections', 'Open connections of senders.', ['input'], () =>
      [...this.#connections].map(([input, n]) => [n, input] as const),
    );
    metrics.gauge('events_inflight', 'Events received and not yet answered for.', ['stage'], () => [
      [this.#inFlight, 'edge'],
    ]);
    metrics.gauge('ledger_imbalance', 'Events that the ledger cannot account for; always 0.', ['stage'], () => [
      [
        this.#received.total - this.#produced.total - this.#rejected.total - this.#dropped.total - this.#inFlight,
        'edge',
      ],
    ]);
  }

  /** The bytes in hand, for who wonders why reading has stopped. */
  watch(budget: { readonly bytesHeld: number }): void {
    this.#metrics.gauge('intake_bytes', 'Bytes in hand at the edge.', [], () => [[budget.bytesHeld]]);
  }

  /** What connections hold beside that: frames that have not come whole, answers that are not read. */
  watchConnections(bytesHeld: () => number): void {
    this.#metrics.gauge('connection_bytes', 'Bytes that connections hold beside chunks in hand.', [], () => [
      [bytesHeld()],
    ]);
  }

  /** Frames that are too large to be held in memory. */
  watchFrameFiles(bytes: () => number): void {
    this.#metrics.gauge('frame_file_bytes', 'Bytes of large frames in files while they come and are taken.', [], () => [
      [bytes()],
    ]);
  }

  received(input: InputName, events: number, bytes: number, tenant: string | null = null): void {
    this.#received.add(events, input);
    this.#bytes.add(bytes, input);
    this.#inHand += events;
    if (tenant === null) return;
    const label = this.#tenants.of(tenant);
    this.#tenantReceived.add(events, label);
    this.#tenantBytes.add(bytes, label);
  }

  produced(events: number): void {
    this.#produced.add(events);
    this.#inHand -= events;
  }

  acked(seconds: number): void {
    this.#ackSeconds.observe(seconds);
  }

  rejected(input: InputName, events: number, reason: string, tenant: string | null = null): void {
    this.#rejected.add(events, input, reason);
    this.#inHand -= events;
    if (tenant !== null) this.#tenantRejected.add(events, this.#tenants.of(tenant));
    this.#log.warn('events_rejected', { input, events, reason });
  }

  /** There is a spool: what it holds is in flight. What it tells comes with each change of that number. */
  spool(eventsInSpool: () => number): SpoolLedger {
    this.#eventsInSpool = eventsInSpool;
    return {
      spooled: (events) => (this.#inHand -= events),
      found: (events) => this.#received.add(events, SPOOL),
      fed: (events) => this.#produced.add(events),
      deadLettered: (events) => this.#rejected.add(events, SPOOL, 'queue_refused'),
      dropped: (events, reason) => this.#dropped.add(events, 'edge', reason),
    };
  }

  get #inFlight(): number {
    return this.#inHand + this.#eventsInSpool();
  }

  /**
   * A frame or body that is no events, or none that can be taken; what its sender gets to hear depends on the input.
   * @param refusedPeer where it was refused for who sent it or how much, not for what it is
   */
  chunkRejected(input: InputName, reason: string, detail: string, refusedPeer?: string): void {
    this.#chunksRejected.add(1, input, reason);
    if (refusedPeer === undefined) this.#log.warn('chunk_rejected', { input, reason, detail });
    else this.#access.refused({ input, reason, peer: refusedPeer, detail });
  }

  deadLettered({ input, reason, error, tag, sender, bytes, count = 1 }: Undecodable): void {
    this.#chunksRejected.add(count, input, reason);
    this.#log.warn('chunk_dead_lettered', { input, reason, error, tag, sender, bytes: bytes.length });
  }

  /** `detail`: what the operator may want to know; never a secret. */
  authFailed(input: InputName, reason: AuthFailure, peer: string | null, detail = ''): void {
    this.#authFailures.add(1, input, reason);
    this.#access.refused({ input, reason, peer, detail });
  }

  /** A datagram of one that may not send; it is counted where it was dropped. */
  datagramRefused(input: InputName, peer: string): void {
    this.#access.refused({ input, reason: 'network_refused', peer });
  }

  tokensReloaded(count: number): void {
    this.#log.info('tokens_reloaded', { tokens: count });
  }

  tokensReloadFailed(error: unknown): void {
    this.#log.error('tokens_unusable', { what: reasonOf(error), effect: 'those before stay in force' });
  }

  /** Events whose sender will not send them again, and that cannot be held. */
  dropped(input: InputName, events: number, bytes: number, reason: string): void {
    this.#received.add(events, input);
    this.#bytes.add(bytes, input);
    this.#dropped.add(events, 'edge', reason);
    this.#log.warn('events_dropped', { input, events, bytes, reason });
  }

  udpReceiveDrops(input: InputName, datagrams: number): void {
    this.#udpReceiveDrops.add(datagrams, input);
    this.#log.warn('udp_receive_drops', { input, datagrams });
  }

  /** The kernel's limit, net.core.rmem_max on Linux, is lower than what is configured. */
  receiveBufferSmall(input: InputName, givenBytes: number, wantedBytes: number): void {
    this.#log.warn('udp_receive_buffer_small', { input, given_bytes: givenBytes, wanted_bytes: wantedBytes });
  }

  /** `refusedPeer`: where it was not even let in. */
  connectionEnded(input: InputName, reason: ConnectionEnd, refusedPeer?: string): void {
    this.#connectionsEnded.add(1, input, reason);
    if (refusedPeer === undefined) this.#log.warn('connection_closed', { input, reason });
    else this.#access.refused({ input, reason, peer: refusedPeer });
  }

  /** Its sender names chunks by their content (fluent-bit), and had the same to say again. */
  equalChunk(input: InputName, events: number): void {
    this.#equalChunks.add(1, input);
    this.#log.debug('equal_chunk_taken', { input, events });
  }

  connectionOpened(input: InputName): void {
    this.#connections.set(input, (this.#connections.get(input) ?? 0) + 1);
  }

  connectionClosed(input: InputName): void {
    this.#connections.set(input, (this.#connections.get(input) ?? 0) - 1);
  }

  /**
   * A certificate that a listener shows; `expiresMs` since the epoch, read anew at each scrape, for it may be renewed.
   */
  watchCertificate(listener: InputName, expiresMs: () => number): void {
    watchCertificate(this.#metrics, listener, expiresMs);
  }

  listening(input: string, address: string): void {
    this.#log.info('listening', { input, address });
  }

  /** `tenant`: of the tenants file, for no other has a rate. */
  throttled(tenant: string): void {
    this.#throttled.add(1, tenant);
    this.#log.warn('tenant_throttled', { tenant });
  }

  /** It sent more bytes than an address may in a second. `address`: of the network that is counted together. */
  addressThrottled(address: string): void {
    this.#addressThrottled.add(1);
    this.#access.refused({ input: 'any', reason: 'rate_limited', peer: address, detail: 'it is not read for a while' });
  }

  /** So do its datagrams, which are dropped, and counted as such. Its address may be forged. */
  datagramsThrottled(address: string): void {
    const detail = 'its datagrams are dropped for a while';
    this.#access.refused({ input: 'any', reason: 'address_rate', peer: address, detail });
  }

  exposed(input: string, address: string): void {
    this.#log.warn('input_exposed', { input, address, what: 'anyone who reaches it can use it (SLUICE_INSECURE)' });
  }

  tlsReloaded(expiresMs: number): void {
    this.#log.info('certificate_reloaded', { expires: new Date(expiresMs).toISOString() });
  }

  tlsReloadFailed(error: unknown): void {
    this.#log.error('certificate_unusable', { what: reasonOf(error), effect: 'the one before stays in force' });
  }

  stopped(): void {
    this.#access[Symbol.dispose]();
    this.#log.info('forwarder_stopped', { events_in_flight: this.#inFlight });
  }
}

export function watchCertificate(metrics: Metrics, listener: InputName | 'admin', expiresMs: () => number): void {
  metrics.gauge(
    'tls_certificate_expiry_seconds',
    'When the certificate of a listener expires, in Unix seconds.',
    ['listener'],
    () => [[expiresMs() / 1000, listener]],
  );
}
