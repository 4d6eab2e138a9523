// What the chunks of all requests' bodies may cost in one turn of the event loop. Node's parser calls into JavaScript
// for each chunk: 0.7 µs, for one byte as for a thousand. A read of 64 KiB may be 11,000 chunks, and hundreds of
// connections have a read in one turn.
//
// Guarantees: a turn has some 30,000 small chunks, and a few more of each connection; those that are refused are the
// smallest, so that who sends a chunk a line goes on beside those who send a chunk a byte; no body is refused that
// comes in chunks of at least 1 KiB.

/** Why a body is refused, as the code of the error that `clientError` tells. */
export type ChunkRefusal = 'CHUNKS_TOO_SMALL' | 'CHUNKS_TOO_MANY';

/** Of one request: some 20 ms of the costliest would be 30,000. */
const SMALL_MAX = 1000;
/** A line of a log is longer. */
const SMALL_BYTES = 8;
/** Of all requests: 20 ms. */
const TURN_MAX = 30_000;
const TURN_REQUEST_MAX = 8;
/** With twice as many in the turn, chunks have to be as large as this; with a few more, a little of it. */
const TURN_BYTES = 1024;

/** Of the whole process: its connections share the turn, whichever server they are of. */
const turn = { number: 0, chunks: 0 };

function endTurn(): void {
  turn.number += 1;
  turn.chunks = 0;
}

/** The chunks of one request. */
export class ChunkTurns {
  #turn = -1;
  #chunks = 0;
  #bytes = 0;

  /** Counts one; returns why no more may come, if so. */
  add(bytes: number): ChunkRefusal | null {
    if (turn.chunks === 0) setImmediate(endTurn);
    turn.chunks += 1;
    if (this.#turn !== turn.number) {
      this.#turn = turn.number;
      this.#chunks = 0;
      this.#bytes = 0;
    }
    this.#chunks += 1;
    this.#bytes += bytes;
    if (this.#chunks > SMALL_MAX && this.#bytes < SMALL_BYTES * this.#chunks) return 'CHUNKS_TOO_SMALL';
    if (turn.chunks <= TURN_MAX || this.#chunks <= TURN_REQUEST_MAX) return null;
    const bytesMin = TURN_BYTES * Math.min(1, turn.chunks / TURN_MAX - 1);
    return this.#bytes < bytesMin * this.#chunks ? 'CHUNKS_TOO_MANY' : null;
  }
}
