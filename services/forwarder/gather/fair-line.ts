// What waits for a lane, tenant by tenant: records are made of it in turns, so that however much one tenant has
// waiting, the next record but one begins with somebody else's. Within a tenant the order is that of arrival: nobody
// waits for more than what the tenant has in hand, which has its bound, and the queue takes it without another look;
// lines by sender would make as many small records as senders.
//
//   A  ▪▪▪▪▪▪▪▪▪▪       records:  A▪▪▪▪ | B▪▪A▪▪ | C▪A▪▪▪ | A▪▪▪▪ …
//   B  ▪▪
//   C  ▪

import { Fifo } from '#shared/collections/fifo.ts';
import type { Share } from './share.ts';

export class FairLine {
  readonly #recordBytes: number;
  readonly #byTenant = new Map<string | null, Fifo<Share>>();
  readonly #lines: Fifo<Share>[] = [];
  /** Whose turn it is to begin a record. */
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

  /** A share of several events is no larger than a record: whoever adds it has cut it. */
  push(share: Share): void {
    const { tenant } = share.batch;
    let line = this.#byTenant.get(tenant);
    if (!line) {
      line = new Fifo();
      this.#byTenant.set(tenant, line);
      this.#lines.push(line);
    }
    line.push(share);
    this.#weight += this.#weightOf(share);
  }

  /** The shares of the next record; there is something. */
  take(): Share[] {
    const shares: Share[] = [];
    const { length } = this.#lines;
    let weight = 0;
    for (let i = 0; i < length && weight < this.#recordBytes; i++) {
      const line = this.#lines[(this.#turn + i) % length];
      if (line) weight = this.#takeFrom(line, shares, weight);
    }
    this.#turn = (this.#turn + 1) % length;
    return shares;
  }

  #takeFrom(line: Fifo<Share>, shares: Share[], before: number): number {
    let weight = before;
    for (let share = line.first; share && weight < this.#recordBytes; share = line.first) {
      // A chunk that its sender compressed is a record of its own, behind what came before it.
      if (share.encoding !== 'identity' && shares.length > 0) break;
      // A larger one is a record of its own too: if that cannot be indexed, it must cost nobody else their events.
      if (share.bytes.length > this.#recordBytes && shares.length > 0) break;
      // Parts of one chunk were parted to be records of their own.
      if (shares.at(-1)?.settlement === share.settlement) break;
      line.shift();
      shares.push(share);
      weight += this.#weightOf(share);
      this.#weight -= this.#weightOf(share);
    }
    return weight;
  }

  /** Its bytes, and about what its row takes in the record's table; a compressed one fills its record. */
  #weightOf({ batch, bytes, encoding }: Share): number {
    if (encoding !== 'identity') return this.#recordBytes;
    return bytes.length + 48 + batch.tag.length + batch.sender.length;
  }
}
