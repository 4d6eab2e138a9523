// Who sent what, what was acked, and what was found: in bits, since a run has millions of events. Senders number their
// events and their chunks from 0 on, each for itself; a chunk is a run of events.
//
// Guarantee: an event that is not in the books (a number that nobody sent) is counted too, as a stranger.

export interface EventName {
  readonly sender: number;
  readonly chunk: number;
  readonly event: number;
}

export interface ChunkName {
  readonly sender: number;
  readonly chunk: number;
}

/** What the torn end of a chunk says of itself. */
export function tornName({ sender, chunk }: ChunkName): string {
  return `torn=${sender}-${chunk};`;
}

export interface TornCounts {
  readonly acked: number;
  /** Acked, and with the dead letters. */
  readonly deadLettered: number;
}

export interface Counts {
  readonly sent: number;
  readonly acked: number;
  readonly found: number;
  /** Acked, and neither found nor with the dead letters. */
  readonly lost: number;
  /** Found more than once: each finding after the first. */
  readonly duplicated: number;
  readonly deadLettered: number;
  /** Found or dead-lettered although nobody sent them. */
  readonly strangers: number;
}

interface SenderBooks {
  /** First event of each chunk, in the order of the chunks. */
  readonly firsts: number[];
  readonly acked: boolean[];
  /** Chunks that end in an entry that broke off, and whether that was found with the dead letters. */
  readonly torn: Map<number, boolean>;
  next: number;
  found: Bits;
  foundAgain: Bits;
  deadLettered: Bits;
}

export class Books {
  readonly #senders = new Map<number, SenderBooks>();
  #sent = 0;
  #acked = 0;
  #found = 0;
  #duplicated = 0;
  #deadLettered = 0;
  #strangers = 0;

  /** Events that were sent and are not acked now. */
  get inFlight(): number {
    return this.#sent - this.#acked;
  }

  get sent(): number {
    return this.#sent;
  }

  get acked(): number {
    return this.#acked;
  }

  /** The sender's next chunk, of so many events; `isTorn`: behind which there is an entry that breaks off. */
  send(sender: number, events: number, isTorn = false): void {
    let books = this.#senders.get(sender);
    if (books === undefined) {
      const bits = { found: new Bits(), foundAgain: new Bits(), deadLettered: new Bits() };
      books = { firsts: [], acked: [], torn: new Map(), next: 0, ...bits };
      this.#senders.set(sender, books);
    }
    if (isTorn) books.torn.set(books.firsts.length, false);
    books.firsts.push(books.next);
    books.acked.push(false);
    books.next += events;
    this.#sent += events;
  }

  ack(sender: number, chunk: number): void {
    const books = this.#senders.get(sender);
    if (books === undefined || books.acked[chunk] !== false) return;
    books.acked[chunk] = true;
    this.#acked += eventsOf(books, chunk);
  }

  /** Whether somebody sent it. */
  find(sender: number, event: number): boolean {
    const books = this.#senders.get(sender);
    const isSent = books !== undefined && event < books.next;
    if (!isSent) this.#strangers++;
    else if (books.found.set(event)) this.#found++;
    else {
      this.#duplicated++;
      books.foundAgain.set(event);
    }
    return isSent;
  }

  findDeadLetter(sender: number, event: number): void {
    const books = this.#senders.get(sender);
    if (books === undefined || !(event < books.next)) this.#strangers++;
    else if (books.deadLettered.set(event)) this.#deadLettered++;
  }

  /** Whether such a chunk was sent torn. */
  findTornEnd({ sender, chunk }: ChunkName): boolean {
    const torn = this.#senders.get(sender)?.torn;
    if (!torn?.has(chunk)) return false;
    torn.set(chunk, true);
    return true;
  }

  countTorn(): TornCounts {
    let acked = 0;
    let deadLettered = 0;
    for (const { torn, acked: ackedChunks } of this.#senders.values()) {
      for (const [chunk, isFound] of torn) {
        if (ackedChunks[chunk] !== true) continue;
        acked++;
        if (isFound) deadLettered++;
      }
    }
    return { acked, deadLettered };
  }

  count(): Counts {
    let lost = 0;
    for (const _ of this.lost()) lost++;
    return {
      sent: this.#sent,
      acked: this.#acked,
      found: this.#found,
      lost,
      duplicated: this.#duplicated,
      deadLettered: this.#deadLettered,
      strangers: this.#strangers,
    };
  }

  *lost(): Generator<EventName> {
    for (const [sender, books] of this.#senders) {
      for (const [chunk, first] of books.firsts.entries()) {
        if (books.acked[chunk] !== true) continue;
        for (let event = first; event < first + eventsOf(books, chunk); event++) {
          if (!books.found.has(event) && !books.deadLettered.has(event)) yield { sender, chunk, event };
        }
      }
    }
  }

  *duplicated(): Generator<EventName> {
    for (const [sender, books] of this.#senders) {
      for (const [chunk, first] of books.firsts.entries()) {
        for (let event = first; event < first + eventsOf(books, chunk); event++) {
          if (books.foundAgain.has(event)) yield { sender, chunk, event };
        }
      }
    }
  }
}

function eventsOf(books: SenderBooks, chunk: number): number {
  return (books.firsts[chunk + 1] ?? books.next) - (books.firsts[chunk] ?? 0);
}

class Bits {
  #bytes = new Uint8Array(1024);

  /** Whether it was not set before. */
  set(at: number): boolean {
    const byte = at >> 3;
    if (byte >= this.#bytes.length) {
      const larger = new Uint8Array(Math.max(byte + 1, this.#bytes.length * 2));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    if (this.has(at)) return false;
    this.#bytes[byte] = (this.#bytes[byte] ?? 0) | (1 << (at & 7));
    return true;
  }

  has(at: number): boolean {
    return ((this.#bytes[at >> 3] ?? 0) & (1 << (at & 7))) !== 0;
  }
}
