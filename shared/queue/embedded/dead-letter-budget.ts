// The disk space that dead letters of the embedded queue use, by their sender, and how much they may use. Their budget
// is separate, so that they never cost the queue a byte. No dead letter is removed before its retention ends.
//
//   budget   | edge: at most a half                         | indexer: whatever is left |
//            | one sender: as much as it leaves free at most |
//
// Shares are dynamic thresholds (Choudhury and Hahne, 1998): a sender may use as much as it leaves free. If k senders
// come together, 1/(k+1) stays free, and the next one may have half of that, so a newcomer always finds space. The edge
// may refuse what would become a dead letter. So nobody there can use up the budget for others, and all of them
// together cannot use up the indexer's half. The indexer has events that are acked already: it is refused only when
// nothing is left, and then waits. `fullSenders` names each sender that uses half as much there as is still free; the
// edge accepts no more from it.
//
// A sender with the shared key chooses its own name, and may change it at any time. So at the edge all claimed names
// together have the share of one sender, besides a share of their own each. If they use twice as much at the indexer as
// is free there, the edge accepts no more from any of them (`isClaimedFull`).
//
// Guarantees: pure; constant time, but for `fullSenders`, of which there are 1,024 at most; a number for each sender
// that has a row in the dead letters, at the edge for each of 4,096 hashes. Who shares a hash there shares a share; the
// hash of those whom the indexer names is long, for they are refused altogether.

import { hash } from 'node:crypto';
import { isIP } from 'node:net';
import { networkOfPeer, UNIX_PEER } from '#shared/net/networks.ts';
import type { DeadLetterRefusal } from '../queue.ts';

/** Dead letters that are stored together or not at all; one for each record, in their order. */
export interface DeadLetterCharge {
  /** Of `ownerOf`. */
  readonly owners: readonly number[];
  /** What all fragments of a large dead letter take, where this append begins with the first of them; else 0. */
  readonly wholeBytes: number;
}

const EDGE_SHARE = 1 / 2;
/** Of what is free, at the indexer. */
const FULL_SHARE = 1 / 2;
const CLAIMED_FULL_SHARE = 2;
/** Of the budget. No sender is full with less, however little is free, so there are never more of them. */
const FULL_SENDERS_MAX = 1024;

/** Addresses of datagrams are easily forged, so these are few. */
const EDGE_SENDERS = 2 ** 12;
/** One that is refused altogether shares its number with nobody, also where senders choose their names. */
const SENDERS = 2 ** 48;
/** Replay's marks: an operator's, a few bytes each, and without them nothing could be replayed. */
const MARKS = EDGE_SENDERS + SENDERS;
/** What was there before this was counted. */
export const OWNER_UNKNOWN = MARKS + 1;
/**
 * From here on the same again, of senders that have claimed their names. An earlier version counts these as nobody's.
 */
const CLAIMED = OWNER_UNKNOWN + 1;

/** As in SQLite's files: what of a page is a row's, and what an overflow page takes. */
const PAGE_BYTES = 8192;
const ROW_BYTES_MAX = PAGE_BYTES - 35;
const ROW_OVERHEAD_BYTES = 24;

export interface DeadLetterSender {
  readonly tenant: string | null;
  /** A peer's address, or the hostname that a holder of the shared key gave itself. */
  readonly sender: string;
  /** Name of the input, such as "gelf". */
  readonly input: string;
}

/**
 * Inputs that take datagrams, whose senders' addresses anybody can forge. What came by them says nothing of who sends
 * by another.
 */
const FORGEABLE_INPUTS: ReadonlySet<string> = new Set(['syslog', 'gelf']);
/** The one input by which senders name themselves. */
const NAMING_INPUT = 'forward';

/** A number for whoever a dead letter is of. `from`: as it says itself. */
export function ownerOf(from: string, origin: DeadLetterSender | null): number {
  if (from === 'replay') return MARKS;
  const number = senderOf(origin);
  const own = number % SENDERS;
  return (from === 'edge' ? own % EDGE_SENDERS : EDGE_SENDERS + own) + (isClaimedSender(number) ? CLAIMED : 0);
}

/**
 * A number for a tenant, or for a sender that is of none; of IPv6 a network of 64 bits is one sender. What it sends by
 * datagrams counts as another one's.
 */
export function senderOf(origin: DeadLetterSender | null): number {
  if (origin === null) return 0;
  const { tenant, sender, input } = origin;
  const name = tenant === null ? `sender ${networkOfPeer(sender)}` : `tenant ${tenant}`;
  const number = hash('sha256', FORGEABLE_INPUTS.has(input) ? `forgeable ${name}` : name, 'buffer').readUIntBE(0, 6);
  const isClaimed = tenant === null && input === NAMING_INPUT && sender !== UNIX_PEER && isIP(sender) === 0;
  return isClaimed ? SENDERS + number : number;
}

/** `sender`: of `senderOf`. Whether it has no more than a name that it gave itself. */
export function isClaimedSender(sender: number): boolean {
  return sender >= SENDERS;
}

/** What a row of so many bytes takes at most: pages are not shared evenly by large ones. */
export function costOf(rowBytes: number): number {
  const bytes = rowBytes + ROW_OVERHEAD_BYTES;
  if (bytes > ROW_BYTES_MAX) return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  return Math.ceil(PAGE_BYTES / Math.floor(PAGE_BYTES / bytes));
}

const BYTES_MIN = 16 * 1024 * 1024;
const QUEUE_SHARE = 1 / 8;

/** What dead letters may take beside a queue of so many bytes, unless something is said of them. */
export function deadLetterBytesMaxOf(queueBytesMax: number, deadLettersBytesMax: number | undefined): number {
  return deadLettersBytesMax ?? Math.max(BYTES_MIN, Math.floor(queueBytesMax * QUEUE_SHARE));
}

/** The largest dead letter of the edge that finds a place, as it is stored, where there is no other. */
export function edgeDeadLetterBytesMaxOf(bytesMax: number): number {
  return (bytesMax * EDGE_SHARE) / 2;
}

export class DeadLetterBudget {
  readonly bytesMax: number;
  readonly #ofOwners = new Map<number, number>();
  /** Owners at the indexer that hold so much that they may be full. */
  readonly #large = new Set<number>();
  #stored = 0;
  #edge = 0;
  #claimedEdge = 0;
  #claimedIndexer = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get bytesStored(): number {
    return this.#stored;
  }

  /** Of dead letters of which the records take `costs`. Null where they may be stored. */
  refusal({ owners, wholeBytes }: DeadLetterCharge, costs: readonly number[]): DeadLetterRefusal | null {
    const sum = Math.max(
      wholeBytes,
      costs.reduce((all, cost) => all + cost, 0),
    );
    if (owners.every((owner) => owner === MARKS)) return null;
    if (this.#stored + sum > this.bytesMax) return 'budget';
    const [owner] = owners;
    // Those of the edge come from one sender each time.
    if (owner === undefined || !isEdge(owner)) return null;
    const free = Math.min(this.bytesMax * EDGE_SHARE - this.#edge, this.bytesMax - this.#stored) - sum;
    if (sum > free) return 'edge_share';
    if ((this.#ofOwners.get(owner) ?? 0) + sum > free) return 'sender_share';
    return isClaimed(owner) && this.#claimedEdge + sum > free ? 'key_share' : null;
  }

  /** `cost` below 0: was removed. */
  add(owner: number, cost: number): void {
    this.#stored += cost;
    const ofOwner = (this.#ofOwners.get(owner) ?? 0) + cost;
    if (ofOwner === 0) this.#ofOwners.delete(owner);
    else this.#ofOwners.set(owner, ofOwner);
    if (isEdge(owner)) {
      this.#edge += cost;
      if (isClaimed(owner)) this.#claimedEdge += cost;
    } else if (owner !== MARKS && owner !== OWNER_UNKNOWN) {
      if (isClaimed(owner)) this.#claimedIndexer += cost;
      if (ofOwner >= this.#leastOfFull) this.#large.add(owner);
      else this.#large.delete(owner);
    }
  }

  clear(): void {
    this.#ofOwners.clear();
    this.#large.clear();
    this.#stored = 0;
    this.#edge = 0;
    this.#claimedEdge = 0;
    this.#claimedIndexer = 0;
  }

  /** Numbers of senders (`senderOf`) whose events take at the indexer what they may. */
  fullSenders(): number[] {
    const most = (this.bytesMax - this.#stored) * FULL_SHARE;
    const full: number[] = [];
    for (const owner of this.#large) if ((this.#ofOwners.get(owner) ?? 0) >= most) full.push(senderOfOwner(owner));
    return full;
  }

  /** Whether the events of all who claim their names together do. */
  isClaimedFull(): boolean {
    const most = (this.bytesMax - this.#stored) * CLAIMED_FULL_SHARE;
    return this.#claimedIndexer >= Math.max(most, this.#leastOfFull);
  }

  get #leastOfFull(): number {
    return this.bytesMax / FULL_SENDERS_MAX;
  }
}

function isEdge(owner: number): boolean {
  return owner < EDGE_SENDERS || (owner >= CLAIMED && owner < CLAIMED + EDGE_SENDERS);
}

function isClaimed(owner: number): boolean {
  return owner >= CLAIMED;
}

/** Of an owner at the indexer. */
function senderOfOwner(owner: number): number {
  return isClaimed(owner) ? owner - CLAIMED - EDGE_SENDERS + SENDERS : owner - EDGE_SENDERS;
}
