import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { type AddressInfo, type Socket, connect } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { REQUESTS_IN_HAND_MAX, boundedRequests } from '#shared/net/bounded-requests.ts';

const MAX = REQUESTS_IN_HAND_MAX;
const PLAIN = 'GET /a HTTP/1.1\r\nHost:\r\n\r\n';
const NO_HOST = 'GET /a HTTP/1.1\r\n\r\n';
const EXPECTS = 'GET /a HTTP/1.1\r\nHost:\r\nExpect: miracles\r\n\r\n';
const CHUNKED = 'POST /a HTTP/1.1\r\nHost:\r\nTransfer-Encoding: chunked\r\n\r\n';
const WITH_BODY = 'POST /a HTTP/1.1\r\nHost:\r\nContent-Length: 2\r\n\r\nab';

class Watched implements AsyncDisposable {
  readonly waiting: ServerResponse[] = [];
  made = 0;
  handled = 0;
  exceeded = 0;
  readonly #server;

  constructor(answer: (response: ServerResponse, watched: Watched) => unknown) {
    const bounded = boundedRequests(() => (this.exceeded += 1));
    const construct = (of: typeof IncomingMessage, args: [Socket]): IncomingMessage => {
      this.made += 1;
      return Reflect.construct(of, args);
    };
    const counted = new Proxy(bounded.IncomingMessage, { construct });
    this.#server = createServer({ ...bounded, IncomingMessage: counted }, (_request, response) => {
      this.handled += 1;
      void answer(response, this);
    });
  }

  async connect(): Promise<Socket> {
    if (!this.#server.listening) await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    const socket = connect((this.#server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const never = (response: ServerResponse, { waiting }: Watched): void => {
  response.req.resume();
  waiting.push(response);
};

for (const [name, sent] of [
  ['requests', PLAIN.repeat(2000)],
  ['requests with bodies', WITH_BODY.repeat(1000)],
  ['requests without a Host, behind one that waits', PLAIN + NO_HOST.repeat(2000)],
  ['requests that expect what nobody has, behind one that waits', PLAIN + EXPECTS.repeat(1000)],
] as const) {
  test(`${name} in one read: one too many is the last that is made, and no handler sees it`, async () => {
    await using server = new Watched(never);
    const client = await server.connect();
    client.resume().write(sent);
    await once(client, 'close');
    assert.deepEqual([server.made, server.exceeded], [MAX + 1, 1]);
    assert(server.handled <= MAX);
  });
}

test('as many as may be are answered, and so are more, one after another', async () => {
  await using server = new Watched((response) => response.end('.'));
  const client = await server.connect();
  let text = '';
  let wake = (): void => {};
  client.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
    wake();
  });
  const answers = async (pattern: RegExp, count: number): Promise<void> => {
    while ((text.match(pattern)?.length ?? 0) < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  client.write(PLAIN.repeat(MAX));
  await answers(/200 OK/g, MAX);
  for (let i = 1; i <= 5 * MAX; i++) {
    client.write(PLAIN);
    await answers(/200 OK/g, MAX + i);
  }
  for (let i = 1; i <= 2 * MAX; i++) {
    client.write(EXPECTS);
    await answers(/HTTP\/1.1 417/g, i);
  }
  assert.deepEqual([server.handled, server.exceeded], [6 * MAX, 0]);
  client.destroy();
});

test('a body in small chunks comes in a few pieces, and whole, though its reader takes its time', async () => {
  const sent = Buffer.alloc(50_000, 'abcdefg');
  const pieces: Buffer[] = [];
  await using server = new Watched(async (response) => {
    await turn();
    for await (const piece of response.req) {
      pieces.push(piece);
      await turn();
    }
    response.end('.');
  });
  const client = await server.connect();
  client.write(CHUNKED);
  for (let at = 0; at < sent.length; at += 16) client.write(`10\r\n${sent.toString('latin1', at, at + 16)}\r\n`);
  client.write('0\r\n\r\n');
  await once(client, 'data');
  assert(Buffer.concat(pieces).equals(sent));
  assert(pieces.length < 500, `${pieces.length} pieces`);
  client.destroy();
});
