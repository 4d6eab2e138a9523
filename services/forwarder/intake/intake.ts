// The entry point of the edge. Every input passes its chunks to `accept`. Intake gives each chunk its batch and its
// partition, and passes it to a lane of the queue.
//
// Guarantees: `accept` resolves only when the queue has stored every byte. Identity, time and sequence are given once,
// and chunks go on in the order of the calls. Every event that was received is counted once, as produced or rejected,
// and is in flight until then.

import type { Clock } from '#shared/clock.ts';
import type { Tenant } from '#shared/config/tenants.ts';
import { SluiceError, reasonOf } from '#shared/errors.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { recordBytes } from '#shared/queue/headers.ts';
import { type Batch, encodeBatches } from '#shared/record/record.ts';
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
import { type BatchSize, excessOf } from '#shared/record/event-limit.ts';
import { Lane, type LaneOptions } from '../gather/partition-lane.ts';
import type { RecordSegment } from '../gather/record-segment.ts';
import { Settlement } from '../gather/settlement.ts';
import { edgeDeadLetter, tooLargeDeadLetter } from './edge-dead-letter.ts';
import { NewBatches } from './new-batches.ts';
import { partitionOf } from './partition.ts';
import { QueueOpening } from './queue-opening.ts';
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
  readonly #batches: NewBatches;
  readonly #opening: QueueOpening;
  readonly #lanes = new Map<number, Lane>();

  constructor(options: IntakeOptions) {
    const { queue, clock, lingerMs, sealBytes, openWaitMs } = options;
    this.#queue = queue;
    this.#clock = clock;
    this.#telemetry = options.telemetry;
    this.#batches = new NewBatches(clock);
    this.#opening = new QueueOpening({ queue, clock, openWaitMs });
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

  /** What the tenant may still bring; ask this, not `hasRoom`, if the tenant is known. */
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
    return this.#opening.unreadyReason;
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
      // Nothing waits between the call and the lane, so that the time of receipt is that of the call.
      if (this.#opening.mustWait) await this.#opening.wait();
      this.#opening.checkOpen();
      const segment = this.#segment(chunk, permit);
      settlement = segment.settlement;
      this.#laneOf(chunk).add(segment);
      await settlement.promise;
      const { eventsDeadLettered, eventsSpooled } = settlement;
      // A dead letter may still be on its way to a queue that did not answer in time, though the spool holds it.
      if (eventsDeadLettered === 0) chunk.freeBytes?.();
      this.#telemetry.acked((this.#clock.monotonicMs() - beganMs) / 1000);
      this.#telemetry.produced(count - eventsDeadLettered - eventsSpooled);
      if (eventsDeadLettered > 0) this.#telemetry.rejected(input, eventsDeadLettered, 'entry_too_large', chunk.tenant);
    } catch (error) {
      // Events in the spool are not in hand any more. They go to the queue although their sender will try again.
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
      if (this.#opening.mustWait) await this.#opening.wait();
      this.#opening.checkOpen();
      slices = this.#slicedBatch(chunk);
      try {
        await feed(slices);
        await slices.finish();
      } finally {
        // Nothing of the chunk is under way when its sender gets its answer.
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
    const batch = this.#batches.ofSliced(chunk);
    return new SlicedBatch({
      batch,
      lane: this.#laneOf(chunk),
      room: this.#roomOf(chunk),
      sentShare: chunk.sentBytes / chunk.content.length,
      mayGoOn: () => this.#opening.checkOpen(),
      appendDeadLetters: (deadLetters) => this.#queue.appendDeadLetters(deadLetters),
      deadLetterOf: ({ why, bytes, cut }, index) => {
        const reason = index === null ? 'chunk_undecodable' : 'entry_malformed';
        const deadLetter = edgeDeadLetter(
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
    const deadLetter = edgeDeadLetter(this.#batches.ofUndecodable(undecodable), undecodable);
    try {
      await this.#queue.appendDeadLetters([deadLetter]);
      this.#telemetry.deadLettered(undecodable);
    } catch (failure) {
      this.#telemetry.chunkRejected(undecodable.input, codeOf(failure), reasonOf(failure));
      throw failure;
    }
  }

  /** Its sender would send the event again for ever if it were only refused. */
  async #deadLetterEvent({ batch, bytes }: RecordSegment): Promise<void> {
    await this.#queue.appendDeadLetters([tooLargeDeadLetter(batch, bytes)]);
  }

  /** Accepts nothing more; resolves when all accepted chunks are settled. */
  async close(): Promise<void> {
    this.#opening.close();
    await Promise.all([...this.#lanes.values()].map((lane) => lane.drained()));
  }

  /** Throws dead_letters_full: further events of this sender might not fit into the dead letters, and block others. */
  #refuseFull({ tenant, sender, input }: Origin): void {
    if (this.#queue.deadLetterSpace?.isFullOf({ tenant, sender, input }) !== true) return;
    throw new SluiceError(
      'dead_letters_full',
      'Cannot take events: too many of this sender were refused by the store and fill its share of the dead letters; ' +
        'see `sluice dead-letters list`',
    );
  }

  #segment(chunk: Chunk, permit: QuotaPermit): RecordSegment {
    const batch = this.#batches.of(chunk);
    const settlement = new Settlement().expect();
    const passes = chunk.encoding !== 'identity' && this.#fitsAsItIs(chunk, batch);
    if (!passes) {
      const isLent = chunk.freeBytes !== undefined;
      return { batch, encoding: 'identity', bytes: chunk.entries, isLent, settlement };
    }
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

/** What a chunk holds until it is settled. */
function bytesOf(chunk: Chunk): number {
  const { tag, chunkId, bytes } = chunk;
  return CHUNK_OVERHEAD_BYTES + 2 * tag.length + (chunkId?.length ?? 0) + bytes.length + unpackedBytesOf(chunk);
}

/** What it holds beside the bytes as they came. */
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
