import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { boundedRequests } from '#shared/net/bounded-requests.ts';

const CHUNKED = 'POST /a HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n';
const PLAIN = 'POST /a HTTP/1.1\r\nHost:\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello';
/** More than is read at once. */
const BODY = Buffer.alloc(300_000, 'abcdefg');

function inChunks(bytes: Buffer, size: number): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size);
    pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
}

/** Reads bodies of POST; anything else has its answer at once. */
class Answering implements AsyncDisposable {
  readonly refused: unknown[] = [];
  /** Of bodies that were read, and of those that broke. */
  readonly read: number[] = [];
  readonly broken: number[] = [];
  /** Calls into JavaScript for pieces of bodies. */
  pieces = 0;
  readonly #server;

  constructor() {
    const bounded = boundedRequests(() => assert.fail('nothing is pipelined'));
    const counting = (): void => void (this.pieces += 1);
    class Counted extends bounded.IncomingMessage {
      override push(piece: unknown, encoding?: BufferEncoding): boolean {
        counting();
        return super.push(piece, encoding);
      }
    }
    this.#server = createServer({ ...bounded, IncomingMessage: Counted }, (request, response) => {
      if (request.method !== 'POST') response.end('at once');
      else void this.#take(request).then((bytes) => bytes !== null && response.end(`${bytes}`));
    });
    this.#server.on('clientError', (error, socket) => {
      this.refused.push('code' in error ? error.code : error.name);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
  }

  /** Resolves to how each answer begins, once its connection is closed, or was silent for long after its answer. */
  async ask(sent: readonly Buffer[]): Promise<string[]> {
    if (!this.#server.listening) await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const { port } = this.#server.address() as AddressInfo;
    return Promise.all(
      sent.map(async (bytes) => {
        const socket = connect(port, '127.0.0.1');
        let text = '';
        socket.setEncoding('latin1').on('data', (piece) => (text += String(piece)));
        socket.on('error', () => {});
        socket.write(bytes);
        await new Promise((resolve) => socket.once('close', resolve));
        return text.slice(0, 12);
      }),
    );
  }

  /** Resolves when so many bodies have ended, one way or the other. */
  async ended(bodies: number): Promise<void> {
    while (this.read.length + this.broken.length < bodies) await turn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #take(request: IncomingMessage): Promise<number | null> {
    let bytes = 0;
    try {
      for await (const piece of request) bytes += Buffer.byteLength(piece);
    } catch {
      this.broken.push(bytes);
      return null;
    }
    this.read.push(bytes);
    return bytes;
  }
}

const closing = (head: string, body: Buffer): Buffer =>
  Buffer.concat([Buffer.from(head.replace('Host:', 'Host:\r\nConnection: close')), body]);

test('a body in chunks of a few bytes is refused; what is left of it costs nothing', async () => {
  await using server = new Answering();
  assert.deepEqual(await server.ask([closing(CHUNKED, inChunks(BODY, 1))]), ['HTTP/1.1 400']);
  await server.ended(1);
  assert.deepEqual(server.refused, ['CHUNKS_TOO_SMALL']);
  assert.deepEqual([server.read, server.broken.length], [[], 1]);
  assert(server.pieces <= 2000, `${server.pieces} pieces`);
});

test('a body in chunks as long as short lines is taken', async () => {
  await using server = new Answering();
  await server.ask([closing(CHUNKED, inChunks(BODY, 20))]);
  assert.deepEqual([server.refused, server.read], [[], [BODY.length]]);
});

test('beside hundreds of such bodies at once a turn ends, and those in large chunks are taken', async () => {
  await using server = new Answering();
  const small: Buffer[] = Array(200).fill(closing(CHUNKED, inChunks(BODY.subarray(0, 40_000), 20)));
  const large: Buffer[] = Array(20).fill(closing(CHUNKED, inChunks(BODY, 4096)));
  const answers = await server.ask([...small, ...large]);
  assert.deepEqual(answers.slice(200), Array(20).fill('HTTP/1.1 200'));
  assert(server.refused.every((code) => code === 'CHUNKS_TOO_MANY'));
  await server.ended(220);
});

test('whose body was refused leaves nothing behind to the connections that come later', async () => {
  await using server = new Answering();
  const costly = closing(CHUNKED, inChunks(BODY, 1));
  for (let round = 0; round < 5; round++) {
    await server.ask(Array(10).fill(costly));
    const answers = await server.ask(Array(20).fill(Buffer.from(PLAIN)));
    assert.deepEqual(answers, Array(20).fill('HTTP/1.1 200'));
  }
  assert.deepEqual(server.read, Array(100).fill(5));
});

for (const [name, sent] of [
  ['with a length', `GET /a HTTP/1.1\r\nHost:\r\nContent-Length: ${BODY.length}\r\n\r\n`],
  ['in chunks', CHUNKED.replace('POST', 'OPTIONS')],
] as const) {
  test(`a body ${name} that nobody reads: some of it is passed over, more ends the connection`, async () => {
    await using server = new Answering();
    const body = sent.includes('chunked') ? inChunks(BODY, 16_000) : BODY;
    const [answer = ''] = await server.ask([Buffer.concat([Buffer.from(sent), body])]);
    assert('HTTP/1.1 200'.startsWith(answer), answer);
    assert(server.pieces < 20, `${server.pieces} pieces`);
    const short = Buffer.from('GET /a HTTP/1.1\r\nHost:\r\nContent-Length: 5\r\n\r\nhello' + PLAIN);
    assert.deepEqual(await server.ask([short]), ['HTTP/1.1 200']);
    assert.deepEqual(server.read, [5]);
  });
}
