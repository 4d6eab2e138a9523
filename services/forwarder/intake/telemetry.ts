// What the forwarder reports of events: each method is a named event, with its counters and its log line. Only files
// of telemetry use the metrics and the log.
//
// The ledger of the edge: received = produced + rejected + dropped + in flight. In flight is what is in hand or in the
// spool. The imbalance is a metric, and always 0.

import { type Clock, systemClock } from '#shared/clock.ts';
import type { Log } from '#shared/log.ts';
import { LimitedLabel, type Metrics } from '#shared/metrics.ts';
import type { SpoolObserver } from '#shared/queue/spooled/local/spool-observer.ts';
import type { InputName, Undecodable } from './chunk.ts';
import { PeerTelemetry } from './peer-telemetry.ts';

/** Upper bounds in seconds: Kafka's acks=all takes 2 to 5 ms where all is well. */
const ACK_SECONDS_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** In place of an input: what is taken from a spool that another process, or this one before its restart, has left. */
const SPOOL = 'spool';

/** What the ledger must hear of a spool. */
export type SpoolLedger = Pick<SpoolObserver, 'spooled' | 'found' | 'fed' | 'deadLettered' | 'dropped'>;

/** Tenants that are counted each by its name. */
const TENANTS_MAX = 100;

export class ForwarderTelemetry extends PeerTelemetry {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #received;
  readonly #bytes;
  readonly #produced;
  readonly #rejected;
  readonly #chunksRejected;
  readonly #dropped;
  readonly #ackSeconds;
  readonly #udpReceiveDrops;
  readonly #equalChunks;
  readonly #throttled;
  readonly #tenantReceived;
  readonly #tenantBytes;
  readonly #tenantRejected;
  readonly #tenants = new LimitedLabel(TENANTS_MAX);
  /** Counted on its own, so that the ledger can be wrong, and says so. */
  #inHand = 0;
  #eventsInSpool: () => number = () => 0;

  constructor(metrics: Metrics, log: Log, clock: Clock = systemClock) {
    super(metrics, log, clock);
    this.#log = log;
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

  /** The bytes in hand: they show why reading has stopped. */
  watch(budget: { readonly bytesHeld: number }): void {
    this.#metrics.gauge('intake_bytes', 'Bytes in hand at the edge.', [], () => [[budget.bytesHeld]]);
  }

  /** What connections hold beyond that: unfinished frames and unread answers. */
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

  /** With a spool: the events in it are in flight. It reports each change of their number. */
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
   * A frame or body that has no events, or none that can be accepted. The sender's answer depends on the input.
   * @param refusedPeer if it was refused for its sender or rate, not for its content
   */
  chunkRejected(input: InputName, reason: string, detail: string, refusedPeer?: string): void {
    this.#chunksRejected.add(1, input, reason);
    if (refusedPeer === undefined) this.#log.warn('chunk_rejected', { input, reason, detail });
    else this.access.refused({ input, reason, peer: refusedPeer, detail });
  }

  deadLettered({ input, reason, error, tag, sender, bytes, count = 1 }: Undecodable): void {
    this.#chunksRejected.add(count, input, reason);
    this.#log.warn('chunk_dead_lettered', { input, reason, error, tag, sender, bytes: bytes.length });
  }

  /** Events that cannot be stored, and that their sender will not send again. */
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

  /** Its sender names chunks by their content (fluent-bit), and sent the same content again. */
  equalChunk(input: InputName, events: number): void {
    this.#equalChunks.add(1, input);
    this.#log.debug('equal_chunk_taken', { input, events });
  }

  /** `tenant`: of the tenants file, for no other has a rate. */
  throttled(tenant: string): void {
    this.#throttled.add(1, tenant);
    this.#log.warn('tenant_throttled', { tenant });
  }

  stopped(): void {
    this.access[Symbol.dispose]();
    this.#log.info('forwarder_stopped', { events_in_flight: this.#inFlight });
  }
}
