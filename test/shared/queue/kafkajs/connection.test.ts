// The patches of connections, against servers that do what frozen and dying brokers do.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import Connection from 'kafkajs/src/network/connection.js';
import socketFactory from 'kafkajs/src/network/socketFactory.js';
import { loadConfig } from '#shared/config/load.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';

class Broker implements AsyncDisposable {
  readonly sockets: Socket[] = [];
  readonly #server: Server;

  private constructor(answer: (socket: Socket, request: Buffer) => void) {
    this.#server = createServer((socket) => {
      this.sockets.push(socket);
      socket.on('error', () => undefined);
      socket.on('data', (request: Buffer) => answer(socket, request));
    });
  }

  static async start(answer: (socket: Socket, request: Buffer, broker: Broker) => void): Promise<Broker> {
    const broker: Broker = new Broker((socket, request) => answer(socket, request, broker));
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections were made so far. They are accepted in their order, so one more is waited for. */
  async accepted(): Promise<number> {
    const last = connect(this.port, '127.0.0.1').on('error', () => undefined);
    await once(last, 'connect');
    while (!this.sockets.some(({ remotePort }) => remotePort === last.localPort))
      await once(this.#server, 'connection');
    last.destroy();
    return this.sockets.length - 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function adminOf(brokers: readonly Broker[], requestTimeoutMs: number) {
  const SLUICE_KAFKA_BROKERS = brokers.map(({ port }) => `127.0.0.1:${port}`).join(',');
  const config = loadConfig({ env: { SLUICE_KAFKA_BROKERS }, readFile: () => '' });
  return createClient(config, { requestTimeoutMs, debug: () => undefined }).admin();
}

const apiVersions = 18;
const metadata = 3;

/** Answers as a broker that knows ApiVersions 0 and Metadata 0 only, and is the only one. */
function answerOf(request: Buffer, port: number): Buffer {
  const i16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
  const i32 = (value: number): Buffer => Buffer.concat([i16(value >>> 16), i16(value & 0xffff)]);
  const api = request.readInt16BE(4);
  const version = request.readInt16BE(6);
  // error 35: a version that is not supported; the answer is of version 0 then
  const versions = [i16(apiVersions), i16(0), i16(0), i16(metadata), i16(0), i16(0)];
  const host = Buffer.from('127.0.0.1');
  const body =
    api === apiVersions
      ? [i16(version === 0 ? 0 : 35), i32(2), ...versions]
      : [i32(1), i32(1), i16(host.length), host, i32(port), i32(0)];
  const answer = Buffer.concat([request.subarray(8, 12), ...body]);
  return Buffer.concat([i32(answer.length), answer]);
}

test('a broker that takes the connection and says nothing is left for the next one', async () => {
  await using silent = await Broker.start(() => undefined);
  await using talking = await Broker.start((socket, request, { port }) => socket.write(answerOf(request, port)));
  // As long as any request may take, the first one on a connection must not: that one is limited like connecting, to 3
  // s.
  const admin = adminOf([silent, talking], 600_000);
  await admin.connect();
  assert.deepEqual(await admin.listTopics(), []);
  await admin.disconnect();
  assert.equal(silent.sockets.length, 1);
  assert.ok(silent.sockets[0]?.closed || (await once(silent.sockets[0] as Socket, 'close')), 'it was hung up on');
});

test('a connection without an answer in time is closed, and the next request has a new one', async () => {
  let mute = true;
  await using broker = await Broker.start((socket, request, { port }) => {
    if (request.readInt16BE(4) === metadata && mute) mute = false;
    else socket.write(answerOf(request, port));
  });
  const admin = adminOf([broker], 300);
  await admin.connect();
  await assert.rejects(admin.listTopics(), { name: 'KafkaJSConnectionClosedError', retriable: true });
  assert.deepEqual(await admin.listTopics(), []);
  assert.equal(mute, false, 'one request had no answer');
  assert.equal(broker.sockets.length, 2, 'a new connection');
  await admin.disconnect();
});

test('an answer that was cut off is not read on in the next connection', async () => {
  let whole = false;
  await using broker = await Broker.start((socket, request, { port }) => {
    const answer = answerOf(request, port);
    if (request.readInt16BE(4) !== metadata || whole) socket.write(answer);
    else {
      whole = true;
      socket.write(answer.subarray(0, answer.length - 3), () => socket.resetAndDestroy());
    }
  });
  const admin = adminOf([broker], 2000);
  await admin.connect();
  await assert.rejects(admin.listTopics(), { name: 'KafkaJSConnectionError' });
  assert.deepEqual(await admin.listTopics(), []);
  assert.equal(whole, true, 'one answer was cut off');
  await admin.disconnect();
});

function connectionTo({ port }: Broker): Connection {
  return new Connection({
    host: '127.0.0.1',
    port,
    logger: new kafkajs.Kafka({ brokers: ['-'], logLevel: kafkajs.logLevel.NOTHING }).logger(),
    socketFactory: socketFactory(),
    connectionTimeout: 3000,
    requestTimeout: 3000,
  });
}

test('two requests at once have one connection', async () => {
  await using broker = await Broker.start(() => undefined);
  const connection = connectionTo(broker);
  await Promise.all([connection.connect(), connection.connect()]);
  assert.equal(await broker.accepted(), 1);
  await connection.disconnect();
});

test('the end of a connection, which comes after the next one was made, does not end that one', async () => {
  await using broker = await Broker.start(() => undefined);
  const connection = connectionTo(broker);
  await connection.connect();
  const old = connection.socket as Socket;
  // It has said that it ends; that the broker ends too is not known yet.
  await connection.disconnect();
  await connection.connect();
  assert.notEqual(connection.socket, old);
  // Its listeners may have been taken away.
  while (!old.closed) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(connection.connectionStatus, 'connected');
  assert.equal((connection.socket as Socket).writableEnded, false);
  await connection.disconnect();
});

test('the socket before is given up when the next one is made', async () => {
  await using broker = await Broker.start(() => undefined);
  const connection = connectionTo(broker);
  await connection.connect();
  const old = connection.socket as Socket;
  connection.connectionStatus = 'disconnected';
  await connection.connect();
  assert.equal(old.destroyed, true);
  await connection.disconnect();
});
