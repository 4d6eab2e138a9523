// The narrow waist of the edge. Every input hands its chunks to `accept`; here they get their name, their place in the
// order of arrival, and their partition, and go on to a lane of the queue.
//
// Guarantees: `accept` resolves only when the queue holds every byte; identity, time and sequence are given once, and
// chunks go on in the order of the calls; every event that was received is counted produced or rejected once, and is in
// flight until then.

import { crc32 } from 'node:zlib';
import type { Clock } from '#shared/clock.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import type { DeadLetter, Queue } from '#shared/queue/queue.ts';
import { recordBytes } from '#shared/queue/headers.ts';
import { entryTimeMs } from '#shared/record/entry-time.ts';
import { chunkIdentity, randomIdentity } from '#shared/record/identity.ts';
import { type Batch, RECORD_VERSION, encodeBatches } from '#shared/record/record.ts';
import { RECORD_VALUE_BYTES_MAX } from '#shared/record/value-limit.ts';
import {
  CHUNK_OVERHEAD_BYTES,
  type Chunk,
  DEAD_LETTER_OVERHEAD_BYTES,
  type Origin,
  originOf,
  type Room,
  type SlicedChunk,
  type SlicedIntake,
  type Slices,
  type Undecodable,
} from './chunk.ts';
import { type BatchSize, excessOf } from './event-limit.ts';
import { Lane, type LaneOptions } from '../gather/lane.ts';
import type { RecordSegment } from '../gather/record-segment.ts';
import { Settlement } from '../gather/settlement.ts';
import { partitionOf } from './partition.ts';
import { SlicedBatch } from './sliced-batch.ts';
import type { ForwarderTelemetry } from './telemetry.ts';
import { type QuotaPermit, type TenantQuota, TenantQuotas, type WayIn, wayInOf } from './tenant-quotas.ts';

export interface IntakeOptions {
  readonly queue: Queue;
  readonly clock: Clock;
  readonly telemetry: ForwarderTelemetry;
  /** Bytes in hand at which reading stops. */
  readonly bytesMax: number;
  readonly lingerMs: number;
  readonly sealBytes: number;
  /** How long a chunk waits for a queue that was never reached. */
  readonly openWaitMs: number;
  /** With rates of their own; the bytes in hand are shared among them. */
  readonly tenants?: readonly Tenant[];
}

export class QueueIntake implements SlicedIntake {
  readonly #queue: Queue;
  readonly #clock: Clock;
  readonly #telemetry: ForwarderTelemetry;
  readonly #quotas: TenantQuotas;
  readonly #laneOptions: LaneOptions;
  readonly #openWaitMs: number;
  readonly #lanes = new Map<number, Lane>();
  #nextSeq = 0;
  /** Chunks that wait for the queue to be reached. */
  #waiting = 0;
  readonly #closing = new AbortController();

  constructor(options: IntakeOptions) {
    const { queue, clock, lingerMs, sealBytes } = options;
    this.#queue = queue;
    this.#clock = clock;
    this.#telemetry = options.telemetry;
    this.#openWaitMs = options.openWaitMs;
    const { bytesMax, tenants = [] } = options;
    const throttled = (tenant: string): void => this.#telemetry.throttled(tenant);
    this.#quotas = new TenantQuotas({ bytesMax, clock, tenants, throttled });
    this.#telemetry.watch(this.#quotas);
    this.#laneOptions = { queue, clock, lingerMs, sealBytes, deadLetter: (segment) => this.#deadLetterEvent(segment) };
  }

  get hasRoom(): boolean {
    return this.#quotas.hasRoom;
  }

  room(over?: AbortSignal): Promise<void> {
    return this.#quotas.room(over);
  }

  /** What the tenant may still bring; ask it rather than `hasRoom` where the tenant is known. */
  roomOf(tenant: string | null, way: WayIn): TenantQuota {
    return this.#quotas.of(tenant, way);
  }

  /** Where the tenant is not known yet. */
  roomFor(way: WayIn): Room {
    return this.#quotas.for(way);
  }

  #roomOf({ tenant, input }: Pick<Origin, 'tenant' | 'input'>): TenantQuota {
    return this.#quotas.of(tenant, wayInOf(input));
  }

  get unreadyReason(): string | null {
    return this.#closing.signal.aborted ? 'it is shutting down' : this.#queue.unreadyReason;
  }

  async accept(chunk: Chunk): Promise<void> {
    const { input, count } = chunk;
    const beganMs = this.#clock.monotonicMs();
    this.#telemetry.received(input, count, chunk.bytes.length, chunk.tenant);
    using permit = this.#roomOf(chunk).take(bytesOf(chunk), count, chunk.bytes.length);
    let settlement: Settlement | null = null;
    try {
      refuseExcess({ count, tag: chunk.tag, bytes: chunk.entries.length });
      this.#refuseFull(chunk);
      // Nothing is put between the call and the lane: the time of receipt is that of the call.
      if (this.#isUnopened) await this.#open();
      this.#checkOpen();
      const segment = this.#segment(chunk, permit);
      settlement = segment.settlement;
      this.#laneOf(chunk).add(segment);
      await settlement.promise;
      const { eventsDeadLettered, eventsSpooled } = settlement;
      this.#telemetry.acked((this.#clock.monotonicMs() - beganMs) / 1000);
      this.#telemetry.produced(count - eventsDeadLettered - eventsSpooled);
      if (eventsDeadLettered > 0) this.#telemetry.rejected(input, eventsDeadLettered, 'entry_too_large', chunk.tenant);
    } catch (error) {
      // What a spool holds is not in hand any more, and goes to the queue although its sender will try again.
      this.#telemetry.rejected(input, count - (settlement?.eventsSpooled ?? 0), codeOf(error), chunk.tenant);
      throw error;
    }
  }

  async acceptSlices(chunk: SlicedChunk, feed: (slices: Slices) => Promise<void>): Promise<void> {
    const { input, count, tenant, sentBytes } = chunk;
    const beganMs = this.#clock.monotonicMs();
    this.#telemetry.received(input, count, sentBytes, tenant);
    let slices: SlicedBatch | null = null;
    try {
      refuseExcess({ count, tag: chunk.tag, bytes: chunk.content.length });
      this.#refuseFull(chunk);
      if (this.#isUnopened) await this.#open();
      this.#checkOpen();
      slices = this.#slicedBatch(chunk);
      try {
        await feed(slices);
        await slices.finish();
      } finally {
        // Nothing of the chunk is under way when its sender is told.
        await slices.settled();
      }
      const { eventsBad, eventsDeadLettered, eventsSpooled, unread } = slices;
      this.#telemetry.acked((this.#clock.monotonicMs() - beganMs) / 1000);
      this.#telemetry.produced(count - eventsBad - eventsDeadLettered - eventsSpooled);
      if (eventsBad > 0) this.#telemetry.rejected(input, eventsBad, 'entry_malformed', tenant);
      if (eventsDeadLettered > 0) this.#telemetry.rejected(input, eventsDeadLettered, 'entry_too_large', tenant);
      if (unread !== null) this.#telemetry.chunkRejected(input, 'chunk_undecodable', unread);
    } catch (error) {
      this.#telemetry.rejected(input, count - (slices?.eventsSpooled ?? 0), codeOf(error), tenant);
      throw error;
    }
  }

  #slicedBatch(chunk: SlicedChunk): SlicedBatch {
    const { content, head, count, sentBytes } = chunk;
    const batch = this.#batch(chunk, count, (receivedMs) =>
      identityOf({ ...chunk, content, entries: head }, receivedMs),
    );
    return new SlicedBatch({
      batch,
      lane: this.#laneOf(chunk),
      room: this.#roomOf(chunk),
      sentShare: sentBytes / content.length,
      mayGoOn: () => {
        if (this.#closing.signal.aborted) throw shuttingDown();
      },
      appendDeadLetters: (deadLetters) => this.#queue.appendDeadLetters(deadLetters),
      deadLetterOf: ({ why, bytes, cut }, index) => {
        const reason = index === null ? 'chunk_undecodable' : 'entry_malformed';
        const deadLetter = deadLetterOf(
          { ...batch, first: index ?? 0, count: 1 },
          { ...originOf(chunk), bytes, reason, error: why },
        );
        return { ...deadLetter, cut: deadLetter.cut || cut, ...(index !== null && { index }) };
      },
    });
  }

  async deadLetter(undecodable: Undecodable): Promise<void> {
    const { bytes } = undecodable;
    using _permit = this.#roomOf(undecodable).take(bytes.length + DEAD_LETTER_OVERHEAD_BYTES, 1, bytes.length);
    const deadLetter = deadLetterOf(this.#batch(undecodable, 1, randomIdentity), undecodable);
    try {
      await this.#queue.appendDeadLetters([deadLetter]);
      this.#telemetry.deadLettered(undecodable);
    } catch (failure) {
      this.#telemetry.chunkRejected(undecodable.input, codeOf(failure), reasonOf(failure));
      throw failure;
    }
  }

  /** An event that no queue takes, or no indexer opens, would come back for ever if it were only refused. */
  async #deadLetterEvent({ batch, bytes }: RecordSegment): Promise<void> {
    const taker =
      bytes.length > RECORD_VALUE_BYTES_MAX
        ? `a record may hold, ${RECORD_VALUE_BYTES_MAX}`
        : 'the queue takes in one record';
    const error = `an event of ${bytes.length} bytes is larger than ${taker}`;
    const deadLetter = deadLetterOf(batch, { bytes, reason: 'entry_too_large', error });
    await this.#queue.appendDeadLetters([{ ...deadLetter, index: batch.first }]);
  }

  /** Takes no more, and resolves when all that was taken is settled. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.drained()));
  }

  /**
   * Throws dead_letters_full: what else came of this sender might find no place among the dead letters, and hold up all
   * others.
   */
  #refuseFull({ tenant, sender, input }: Origin): void {
    if (this.#queue.deadLetterSpace?.isFullOf({ tenant, sender, input }) !== true) return;
    throw new SluiceError(
      'dead_letters_full',
      'Cannot take events: too many of this sender were refused by the store and fill its share of the dead letters; see `sluice dead-letters list`',
    );
  }

  /** Whoever waits goes first, also in the moment in which the queue has just been reached. */
  get #isUnopened(): boolean {
    return this.#queue.partitions === 0 || this.#waiting > 0;
  }

  async #open(): Promise<void> {
    this.#waiting++;
    try {
      await this.#reached();
    } finally {
      this.#waiting--;
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw shuttingDown();
  }

  /** Waits for a queue that was never reached yet; not for ever, since a sender that waits must be answered. */
  async #reached(): Promise<void> {
    const overdue = new AbortController();
    using _limit = this.#clock.timer(this.#openWaitMs, () => overdue.abort());
    try {
      await this.#queue.opened(AbortSignal.any([overdue.signal, this.#closing.signal]));
    } catch (error) {
      if (this.#closing.signal.aborted) throw shuttingDown();
      const why = this.#queue.unreadyReason ?? reasonOf(error);
      throw new SluiceError('queue_unavailable', `Cannot take events: ${why}`, { cause: error });
    }
  }

  #segment(chunk: Chunk, permit: QuotaPermit): RecordSegment {
    const named = this.#batch(chunk, chunk.count, (receivedMs) => identityOf(chunk, receivedMs));
    const batch = chunk.chain === undefined ? named : { ...named, chain: chunk.chain };
    const settlement = new Settlement().expect();
    const passes = chunk.encoding !== 'identity' && this.#fitsAsItIs(chunk, batch);
    if (!passes) return { batch, encoding: 'identity', bytes: chunk.entries, settlement };
    if (chunk.freeEntries) {
      permit.giveBack(unpackedBytesOf(chunk));
      chunk.freeEntries();
    }
    return { batch, encoding: chunk.encoding, bytes: chunk.bytes, settlement };
  }

  #fitsAsItIs(chunk: Chunk, batch: Batch): boolean {
    if (chunk.entries.length > RECORD_VALUE_BYTES_MAX) return false;
    const record = { encoding: chunk.encoding, batches: encodeBatches([batch]), value: chunk.bytes };
    return recordBytes(record) <= this.#queue.appendBytesMax;
  }

  #batch(origin: Origin, count: number, identityAt: (receivedMs: number) => Uint8Array): Batch {
    const { tag, input, tenant, sender } = origin;
    const receivedMs = this.#clock.epochMs();
    // Never backwards, whatever the clock does, and never the number of an event before.
    const seq = Math.max(receivedMs * 1000, this.#nextSeq);
    this.#nextSeq = seq + count;
    const id = identityAt(receivedMs);
    return { version: RECORD_VERSION, id, first: 0, count, tag, input, tenant, receivedMs, seq, sender, chain: null };
  }

  #laneOf({ tenant, tag, sender }: Origin): Lane {
    const partition = partitionOf(tenant, tag, sender, this.#queue.partitions);
    let lane = this.#lanes.get(partition);
    if (!lane) {
      lane = new Lane(partition, this.#laneOptions);
      this.#lanes.set(partition, lane);
    }
    return lane;
  }
}

type Named = Pick<Chunk, 'tenant' | 'sender' | 'tag' | 'chunkId' | 'entries'> & Partial<Pick<SlicedChunk, 'content'>>;

/** What a chunk holds until it is settled. */
function bytesOf(chunk: Chunk): number {
  const { tag, chunkId, bytes } = chunk;
  return CHUNK_OVERHEAD_BYTES + 2 * tag.length + (chunkId?.length ?? 0) + bytes.length + unpackedBytesOf(chunk);
}

/** What is held of it beside the bytes as they came. */
function unpackedBytesOf({ bytes, entries }: Chunk): number {
  return entries === bytes ? 0 : entries.length;
}

function codeOf(error: unknown): string {
  return error instanceof SluiceError ? error.code : 'internal';
}

/** Throws too_many_events. */
function refuseExcess(batch: BatchSize): void {
  const excess = excessOf(batch);
  if (excess !== null) throw new SluiceError('too_many_events', `Cannot take events: ${excess}; send fewer at once`);
}

function shuttingDown(): SluiceError {
  return new SluiceError('shutting_down', 'Cannot take events: Sluice is shutting down');
}

/**
 * A repeat of a chunk id has the same name, so no clock has a part in it. Of a chunk in slices, `entries` are its first
 * bytes, and `content` is of all.
 */
function identityOf({ tenant, sender, tag, chunkId, content, entries }: Named, receivedMs: number): Uint8Array {
  if (!chunkId) return randomIdentity(receivedMs);
  const timeMs = entryTimeMs(entries, 0, entries.length);
  const { crc32: checksum, length } = content ?? { crc32: crc32(entries), length: entries.length };
  // A name has four bytes for the length.
  return chunkIdentity({ timeMs, tenant, sender, tag, chunkId, crc32: checksum, length: length % 2 ** 32 });
}

function deadLetterOf(
  batch: Batch,
  { bytes, reason, error, cut = false, peerAddress }: Omit<Undecodable, keyof Origin> & Pick<Origin, 'peerAddress'>,
): DeadLetter {
  return {
    batches: encodeBatches([batch]),
    reason,
    error,
    from: 'edge',
    value: bytes,
    cut,
    ...(peerAddress !== undefined && { peerAddress }),
  };
}
