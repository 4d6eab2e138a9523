// One partition's way to the queue: shares wait in line, tenant by tenant; a record of them is sealed when they fill
// one, when they have waited for their linger, or when the append before is done, whichever comes first. One append is
// in flight at a time, so order is kept and records grow with the load by themselves.

import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import type { StoredBy, Queue } from '#shared/queue/queue.ts';
import { recordBytes } from '#shared/queue/headers.ts';
import { decompress } from '#shared/record/compression.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { Cutter, inTurns } from './cutter.ts';
import { FairLine } from './fair-line.ts';
import { type SealedRecord, sealRecord } from './sealed-record.ts';
import { type Share, splitShare } from './share.ts';

/** What it holds was counted within the edge's limit before it came here. */
const DECOMPRESSED_BYTES_MAX = 512 * 1024 * 1024;
/**
 * Records that are made ahead of their append: enough to keep it busy, and few enough for who comes behind them in the
 * thread pool.
 */
const SEALED_AHEAD_MAX = 16;
/** Each wakes an input, which writes an answer: 10 to 50 µs. A record may have ten thousand of the smallest. */
const SETTLED_PER_TURN = 64;

export interface LaneOptions {
  readonly queue: Queue;
  readonly clock: Clock;
  readonly lingerMs: number;
  /** Uncompressed size at which a record is sealed. */
  readonly sealBytes: number;
  /** Puts a share of one event, which is larger than the queue takes or an indexer opens, to the dead letters. */
  readonly deadLetter: (share: Share) => Promise<void>;
}

export class Lane {
  readonly #partition: number;
  readonly #options: LaneOptions;
  readonly #cutter: Cutter;
  readonly #line: FairLine;
  #sealed: SealedRecord[] = [];
  #linger: Disposable | null = null;
  #draining: Promise<void> | null = null;
  /** Of records that are held, whose senders are being told. */
  #settling: Promise<void> | null = null;

  constructor(partition: number, options: LaneOptions) {
    this.#partition = partition;
    this.#options = options;
    this.#line = new FairLine(options.sealBytes);
    this.#cutter = new Cutter(options.sealBytes, (shares) => this.#queueUp(shares));
  }

  add(share: Share): void {
    this.#cutter.add(share);
  }

  /** Resolves when all that was added is settled. */
  async drained(): Promise<void> {
    do {
      await this.#cutter.idle();
      this.#drain();
      while (this.#draining) await this.#draining;
    } while (this.#cutter.isBusy);
    await this.#settling;
  }

  #queueUp(shares: readonly Share[]): void {
    for (const share of shares) this.#line.push(share);
    this.#sealAhead();
    this.#wake();
  }

  #wake(): void {
    if (this.#draining) return;
    if (this.#sealed.length > 0) this.#drain();
    else this.#linger ??= this.#options.clock.timer(this.#options.lingerMs, () => this.#drain());
  }

  #drain(): void {
    this.#linger?.[Symbol.dispose]();
    this.#linger = null;
    if (this.#draining || (this.#sealed.length === 0 && this.#line.isEmpty)) return;
    this.#draining = this.#appendAll();
  }

  /** Full records shrink in the thread pool while others are appended. */
  #sealAhead(): void {
    while (this.#line.hasFull && this.#sealed.length < SEALED_AHEAD_MAX) this.#sealNext();
  }

  #sealNext(): void {
    this.#sealed.push(sealRecord(this.#line.take()));
  }

  async #appendAll(): Promise<void> {
    for (;;) {
      this.#sealAhead();
      if (this.#sealed.length === 0 && !this.#line.isEmpty) this.#sealNext();
      const head = this.#sealed[0];
      if (!head) break;
      if (await this.#isFit(head)) await this.#appendReady();
    }
    this.#draining = null;
  }

  /**
   * Waits for the head to be made. One that the queue does not take, or no indexer opens, is made smaller, or
   * dead-lettered if it is a single event.
   */
  async #isFit(head: SealedRecord): Promise<boolean> {
    try {
      const record = await head.ready;
      if (record !== null && !head.isRefused && recordBytes(record) <= this.#options.queue.appendBytesMax) return true;
      const [only] = head.shares;
      if (only && only.encoding !== 'identity') {
        // The queue's limit fell while it waited. A dead letter of an event holds the entry as it is, too.
        const bytes = await decompress(only.bytes, only.encoding, DECOMPRESSED_BYTES_MAX);
        this.#sealed.splice(0, 1, sealRecord([{ ...only, encoding: 'identity', bytes }], true));
      } else if (only && head.shares.length === 1 && only.batch.count === 1) {
        await this.#options.deadLetter(only);
        only.settlement.deadLettered();
        this.#sealed.shift();
      } else {
        const smaller = await halves(head.shares);
        this.#sealed.splice(0, 1, ...smaller.map((shares) => sealRecord(shares, head.goesAlone)));
      }
    } catch (error) {
      this.#sealed.shift();
      this.#settle(head.shares, ({ settlement }) => settlement.failed(error));
    }
    return false;
  }

  /** Appends the head, and whatever behind it is ready and fits into the same append. */
  async #appendReady(): Promise<void> {
    const { queue } = this.#options;
    const taken: SealedRecord[] = [];
    const records: QueueRecord[] = [];
    let bytes = 0;
    for (;;) {
      const next = this.#sealed[0];
      if (!next?.record) break;
      const more = recordBytes(next.record);
      if (records.length > 0 && (next.goesAlone || bytes + more > queue.appendBytesMax)) break;
      bytes += more;
      records.push(next.record);
      taken.push(next);
      this.#sealed.shift();
      if (next.goesAlone) break;
    }
    const shares = taken.flatMap((sealed) => sealed.shares);
    try {
      const held = await this.#options.queue.append(this.#partition, records);
      this.#settle(shares, (share) => settleHeld(share, held));
    } catch (error) {
      if (!isRefusal(error)) return this.#settle(shares, ({ settlement }) => settlement.failed(error));
      // The queue takes less than it did: the same in smaller appends, whether or not it has found out by this. Senders
      // that were told of it would come again with the same, for ever.
      if (bytes <= queue.appendBytesMax) {
        const [only] = taken;
        if (only && taken.length === 1) only.isRefused = true;
        for (const sealed of taken) sealed.goesAlone = true;
      }
      this.#sealed.unshift(...taken);
    }
  }

  /** In the order of the records, so many a turn of the event loop; meanwhile the next append goes on. */
  #settle(shares: readonly Share[], settleOne: (share: Share) => void): void {
    if (!this.#settling && shares.length <= SETTLED_PER_TURN) return shares.forEach(settleOne);
    const before = this.#settling;
    const settling = settleInTurns(shares, settleOne, before).then(() => {
      if (this.#settling === settling) this.#settling = null;
    });
    this.#settling = settling;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'queue_refused';
}

function settleHeld({ settlement, batch }: Share, held: StoredBy | void): void {
  if (held === 'spool') settlement.spooled(batch.count);
  else settlement.held();
}

async function settleInTurns(
  shares: readonly Share[],
  settleOne: (share: Share) => void,
  before: Promise<void> | null,
): Promise<void> {
  await before;
  for (let start = 0; start < shares.length; start += SETTLED_PER_TURN) {
    if (start > 0) await turn();
    shares.slice(start, start + SETTLED_PER_TURN).forEach(settleOne);
  }
}

/** The shares of a record that is too large, as two records. */
async function halves(shares: readonly Share[]): Promise<Share[][]> {
  const [only] = shares;
  if (only && shares.length === 1) {
    const parts = await inTurns(splitShare(only, Math.ceil(only.bytes.length / 2)));
    return parts.map((part) => [part]);
  }
  const middle = shares.length >> 1;
  return [shares.slice(0, middle), shares.slice(middle)];
}
