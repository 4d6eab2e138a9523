// What the dead letters of the embedded queue take on disk, by who they are of, and what they may take. They have a budget of their own, so
// that they never cost the queue a byte; nothing of it is given up before its retention.
//
//   budget   | edge: at most a half                         | indexer: whatever is left |
//            | one sender: at most a quarter |
//
// The edge may refuse what would become a dead letter, so one sender cannot use the budget up for others, nor all of them the indexer's
// half. The indexer has acked events in hand: it is refused only when nothing is left, and then waits. A sender whose events fill a half
// there is named (`fullSenders`), so that the edge takes no more of it.
//
// Guarantees: pure; constant time; a number for each sender that has a row in the dead letters, at the edge for each of 4,096 hashes. Who shares a
// hash there shares a quarter; the hash of those whom the indexer names is long, for they are refused altogether.

import { hash } from 'node:crypto';
import { networkOfPeer } from '#shared/networks.ts';
import type { LetterRefusal } from '../queue.ts';

/** Dead letters that are held together or not at all; one for each record, in their order. */
export interface LetterAppend {
  /** Of `ownerOf`. */
  readonly owners: readonly number[];
  /** What all parts of a large dead letter take, where this append begins with the first of them; else 0. */
  readonly wholeBytes: number;
}

const EDGE_SHARE = 1 / 2;
const EDGE_SENDER_SHARE = 1 / 4;
const INDEXER_SENDER_SHARE = 1 / 2;

/** Addresses of datagrams are easily forged, so these are few. */
const EDGE_SENDERS = 2 ** 12;
/** One that is refused altogether shares its number with nobody, also where senders choose their names. */
const SENDERS = 2 ** 48;
/** Replay's marks: an operator's, a few bytes each, and without them nothing could be replayed. */
const MARKS = EDGE_SENDERS + SENDERS;
/** What was there before this was counted. */
export const OWNER_UNKNOWN = MARKS + 1;

/** As in SQLite's files: what of a page is a row's, and what an overflow page takes. */
const PAGE_BYTES = 8192;
const ROW_BYTES_MAX = PAGE_BYTES - 35;
const ROW_OVERHEAD_BYTES = 24;

export interface LetterOrigin {
  readonly tenant: string | null;
  /** A peer's address, or the hostname of one that is authenticated. */
  readonly sender: string;
  /** Name of the input, such as "gelf". */
  readonly input: string;
}

/** Inputs that take datagrams, whose senders' addresses anybody can forge. What came by them says nothing of who sends by another. */
const FORGEABLE_INPUTS: ReadonlySet<string> = new Set(['syslog', 'gelf']);

/** A number for whoever a dead letter is of. `from`: as it says itself. */
export function ownerOf(from: string, origin: LetterOrigin | null): number {
  if (from === 'replay') return MARKS;
  const sender = senderOf(origin);
  return from === 'edge' ? sender % EDGE_SENDERS : EDGE_SENDERS + sender;
}

/**
 * A number for a tenant, or for a sender that is of none; of IPv6 a network of 64 bits is one sender. What it sends by datagrams counts as
 * another one's.
 */
export function senderOf(origin: LetterOrigin | null): number {
  if (origin === null) return 0;
  const { tenant, sender, input } = origin;
  const name = tenant === null ? `sender ${networkOfPeer(sender)}` : `tenant ${tenant}`;
  return hash('sha256', FORGEABLE_INPUTS.has(input) ? `forgeable ${name}` : name, 'buffer').readUIntBE(0, 6);
}

/** What a row of so many bytes takes at most: pages are not shared evenly by large ones. */
export function costOf(rowBytes: number): number {
  const bytes = rowBytes + ROW_OVERHEAD_BYTES;
  if (bytes > ROW_BYTES_MAX) return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  return Math.ceil(PAGE_BYTES / Math.floor(PAGE_BYTES / bytes));
}

export class DeadLetterBudget {
  readonly bytesMax: number;
  readonly #ofOwners = new Map<number, number>();
  readonly #full = new Set<number>();
  #held = 0;
  #edge = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytesHeld(): number {
    return this.#held;
  }

  /** Of dead letters of which the records take `costs`. Null where they may be held. */
  refusal({ owners, wholeBytes }: LetterAppend, costs: readonly number[]): LetterRefusal | null {
    const sum = Math.max(
      wholeBytes,
      costs.reduce((all, cost) => all + cost, 0),
    );
    if (owners.every((owner) => owner === MARKS)) return null;
    if (this.#held + sum > this.bytesMax) return 'budget';
    const [owner] = owners;
    // Those of the edge come from one sender each time.
    if (owner === undefined || !isEdge(owner)) return null;
    if ((this.#ofOwners.get(owner) ?? 0) + sum > this.bytesMax * EDGE_SENDER_SHARE) return 'sender_share';
    return this.#edge + sum > this.bytesMax * EDGE_SHARE ? 'edge_share' : null;
  }

  /** `cost` below 0: was removed. */
  add(owner: number, cost: number): void {
    this.#held += cost;
    if (isEdge(owner)) this.#edge += cost;
    const held = (this.#ofOwners.get(owner) ?? 0) + cost;
    if (held === 0) this.#ofOwners.delete(owner);
    else this.#ofOwners.set(owner, held);
    if (isEdge(owner) || owner >= MARKS) return;
    if (held >= this.bytesMax * INDEXER_SENDER_SHARE) this.#full.add(owner - EDGE_SENDERS);
    else this.#full.delete(owner - EDGE_SENDERS);
  }

  clear(): void {
    this.#ofOwners.clear();
    this.#full.clear();
    this.#held = 0;
    this.#edge = 0;
  }

  /** Numbers of senders (`senderOf`) whose events fill a sender's share at the indexer: two at most. */
  fullSenders(): number[] {
    return [...this.#full];
  }
}

function isEdge(owner: number): boolean {
  return owner < EDGE_SENDERS;
}
