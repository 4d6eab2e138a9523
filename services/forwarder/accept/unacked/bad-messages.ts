// Messages of one sender that can never be events, on their way to the dead letters. A dead letter costs several KiB in
// hand, and a bad message may be a byte. So the first few of a burst (a read; the datagrams of a turn) have a dead
// letter each, and those behind them share one.
//
// Guarantees: a burst has at most `OWN_DEAD_LETTERS_MAX` dead letters of one message, and as many are in flight; and
// one more for each `GATHERED_BYTES_MAX`. After `flush` nothing waits here. Every byte goes on, and every message is
// counted.

import type { Undecodable } from '../../intake/chunk.ts';

export type BadReason = Undecodable['reason'];
export type BadMessage = Pick<Undecodable, 'bytes' | 'reason' | 'error' | 'count'>;

const OWN_DEAD_LETTERS_MAX = 8;
const GATHERED_BYTES_MAX = 256 * 1024;
/** Ends each message in a dead letter of many, as it does in GELF's streams. */
const NUL = 0;

export class BadMessages {
  readonly #deadLetter: (bad: BadMessage) => Promise<void>;
  readonly #gathered = new Map<BadReason, Gathered>();
  /** Dead letters of one message: of this burst, and in flight. */
  #own = 0;
  #inFlight = 0;

  /** @param deadLetter never rejects */
  constructor(deadLetter: (bad: BadMessage) => Promise<void>) {
    this.#deadLetter = deadLetter;
  }

  /** `bytes` are copied. */
  add(bytes: Buffer, reason: BadReason, error: string): void {
    if (this.#own < OWN_DEAD_LETTERS_MAX && this.#inFlight < OWN_DEAD_LETTERS_MAX) {
      this.#own += 1;
      this.#inFlight += 1;
      void this.#deadLetter({ bytes: Buffer.from(bytes), reason, error }).then(() => (this.#inFlight -= 1));
      return;
    }
    let gathered = this.#gathered.get(reason);
    if (gathered && gathered.length + bytes.length >= GATHERED_BYTES_MAX) {
      this.#send(reason, gathered);
      gathered = undefined;
    }
    if (!gathered) this.#gathered.set(reason, (gathered = new Gathered(error)));
    gathered.add(bytes);
  }

  /** The burst is over. */
  flush(): void {
    this.#own = 0;
    for (const [reason, gathered] of this.#gathered) this.#send(reason, gathered);
  }

  #send(reason: BadReason, gathered: Gathered): void {
    this.#gathered.delete(reason);
    const { count, firstError, bytes } = gathered;
    const more = count === 1 ? '' : `; with it ${count - 1} more that came together, each ended by a NUL`;
    void this.#deadLetter({ bytes, reason, error: firstError + more, count });
  }
}

class Gathered {
  readonly firstError: string;
  count = 0;
  length = 0;
  #bytes = Buffer.alloc(0);

  constructor(firstError: string) {
    this.firstError = firstError;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  add(message: Buffer): void {
    const needed = this.length + message.length + 1;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(1024, 2 * this.length, needed));
      this.#bytes.copy(larger, 0, 0, this.length);
      this.#bytes = larger;
    }
    message.copy(this.#bytes, this.length);
    this.#bytes[needed - 1] = NUL;
    this.length = needed;
    this.count += 1;
  }
}
