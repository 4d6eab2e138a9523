// A request whose body comes in pieces as large as they were read. Node hands out each piece of a chunked body
// separately: one read of 64 KiB in chunks of one byte became 11,000 buffers, each of which costs a hundred times its
// byte while it waits.
//
// Guarantees: small pieces of one read become one piece, or a few; nothing waits for the next read; a stream that is
// full says so. Of a body that nobody reads 64 KiB are passed over, and of one in chunks that cost too much
// (chunk-turns.ts) nothing more is looked at: their connections end.

import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { BufferedPieces } from '../msgpack/buffered-pieces.ts';
import { type ChunkRefusal, ChunkTurns } from './chunk-turns.ts';

const SMALL_BYTES = 2048;
/** Of a body that the answer did not wait for: somebody who sends a few words need not connect again. */
const PASSED_OVER_MAX = 64 * 1024;

/** What Node's types do not tell. */
interface ServerSocket extends Socket {
  readonly parser?: BodyParser | null;
}

interface BodyParser {
  /** By number. */
  [callback: number]: unknown;
  readonly constructor: Readonly<Record<(typeof CALLBACKS)[number], number>>;
}

const CALLBACKS = ['kOnHeadersComplete', 'kOnBody', 'kOnMessageComplete'] as const;

export class GatheringRequest extends IncomingMessage {
  /** A small piece alone, as most bodies are: not copied. */
  #first: Buffer | null = null;
  readonly #held = new BufferedPieces();
  readonly #chunks = new ChunkTurns();
  #isRefused = false;
  /** How much is passed over; null while somebody may read it. */
  #passedOver: number | null = null;

  override push(piece: unknown, encoding?: BufferEncoding): boolean {
    // No end either: what came of it is not all.
    if (this.#isRefused) return false;
    if (!Buffer.isBuffer(piece) || piece.length === 0) {
      this.#flush();
      return super.push(piece, encoding);
    }
    const refusal = piece.length < SMALL_BYTES ? this.#chunks.add(piece.length) : null;
    if (refusal !== null) {
      this.#refuse(refusal);
      return false;
    }
    if (this.#passedOver !== null) {
      this.#passedOver += piece.length;
      if (this.#passedOver > PASSED_OVER_MAX) this.socket.destroy();
      return true;
    }
    if (piece.length >= SMALL_BYTES) {
      this.#flush();
      return super.push(piece, encoding);
    }
    this.#gather(piece);
    const bytes = this.readableLength + this.#held.bytes;
    return bytes < this.readableHighWaterMark;
  }

  /** Node calls it once the request has its answer and nobody has read its body: by itself it would read for ever. */
  _dump(): void {
    this.#passedOver ??= 0;
    this.removeAllListeners('data');
    this.resume();
  }

  #gather(piece: Buffer): void {
    if (this.#held.bytes > 0) {
      this.#held.hold(piece, 0);
    } else if (this.#first) {
      this.#held.hold(this.#first, 0);
      this.#held.hold(piece, 0);
      this.#first = null;
    } else {
      this.#first = piece;
      // The parser is through with what was read by then; ticks run between any two of its pieces.
      setImmediate(() => this.#flush());
    }
  }

  #flush(): void {
    const pieces = this.#first ? [this.#first] : this.#held.take();
    this.#first = null;
    if (this.destroyed) return;
    for (const piece of pieces) super.push(piece);
  }

  #refuse(code: ChunkRefusal): void {
    this.#isRefused = true;
    const socket = this.socket as ServerSocket;
    const { parser, server } = socket;
    if (parser) silence(parser, socket);
    const isTold = server?.emit('clientError', Object.assign(new Error('Cannot read the body'), { code }), socket);
    if (!isTold) socket.destroy();
  }
}

/** What was read already is parsed to its end, whatever becomes of the socket: so nothing is made of it. */
function silence(parser: BodyParser, socket: Socket): void {
  for (const name of CALLBACKS) {
    const number = parser.constructor[name];
    const callback = parser[number];
    parser[number] = null;
    // Parsers are used again.
    socket.once('close', () => (parser[number] = callback));
  }
}
