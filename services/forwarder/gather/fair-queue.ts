// The segments that wait for a lane, queued by tenant. Records begin with each tenant in turn, so however much one
// tenant has waiting, the next record but one begins with another's. Within a tenant the order is that of arrival: the
// bytes that a tenant has in hand are bounded, and queues by sender would make as many small records as senders.
//
//   A  ▪▪▪▪▪▪▪▪▪▪       records:  A▪▪▪▪ | B▪▪A▪▪ | C▪A▪▪▪ | A▪▪▪▪ …
//   B  ▪▪
//   C  ▪

import { Fifo } from '#shared/collections/fifo.ts';
import type { RecordSegment } from './record-segment.ts';

export class FairQueue {
  readonly #recordBytes: number;
  readonly #byTenant = new Map<string | null, Fifo<RecordSegment>>();
  readonly #queues: Fifo<RecordSegment>[] = [];
  /** The tenant with which the next record begins. */
  #turn = 0;
  #weight = 0;

  /** `recordBytes`: uncompressed size at which a record is full. */
  constructor(recordBytes: number) {
    this.#recordBytes = recordBytes;
  }

  get isEmpty(): boolean {
    return this.#weight === 0;
  }

  /** Whether there is enough for a full record. */
  get hasFull(): boolean {
    return this.#weight >= this.#recordBytes;
  }

  /** A segment of several events must be no larger than a record (segment-splitter.ts). */
  push(segment: RecordSegment): void {
    const { tenant } = segment.batch;
    let queue = this.#byTenant.get(tenant);
    if (!queue) {
      queue = new Fifo();
      this.#byTenant.set(tenant, queue);
      this.#queues.push(queue);
    }
    queue.push(segment);
    this.#weight += this.#weightOf(segment);
  }

  /** The segments of the next record; there is something. */
  take(): RecordSegment[] {
    const segments: RecordSegment[] = [];
    const { length } = this.#queues;
    let weight = 0;
    for (let i = 0; i < length && weight < this.#recordBytes; i++) {
      const queue = this.#queues[(this.#turn + i) % length];
      if (queue) weight = this.#takeFrom(queue, segments, weight);
    }
    this.#turn = (this.#turn + 1) % length;
    return segments;
  }

  #takeFrom(queue: Fifo<RecordSegment>, segments: RecordSegment[], before: number): number {
    let weight = before;
    for (let segment = queue.first; segment && weight < this.#recordBytes; segment = queue.first) {
      // A chunk that its sender compressed is a record of its own, behind what came before it.
      if (segment.encoding !== 'identity' && segments.length > 0) break;
      // So is a larger one: if it cannot be indexed, no other events must suffer.
      if (segment.bytes.length > this.#recordBytes && segments.length > 0) break;
      // Segments of one chunk were split to be records of their own.
      if (segments.at(-1)?.settlement === segment.settlement) break;
      queue.shift();
      segments.push(segment);
      weight += this.#weightOf(segment);
      this.#weight -= this.#weightOf(segment);
    }
    return weight;
  }

  /** Its bytes, and about what its row takes in the record's table; a compressed one fills its record. */
  #weightOf({ batch, bytes, encoding }: RecordSegment): number {
    if (encoding !== 'identity') return this.#recordBytes;
    return bytes.length + 48 + batch.tag.length + batch.sender.length;
  }
}
