// What a connection may cost, and how it ends where it costs more; over real sockets.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fork } from 'node:child_process';
import { encode } from '@msgpack/msgpack';
import { type ForwardServerOptions, startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import type { SessionOptions } from '#forwarder/accept/forward/session-options.ts';
import { ReadingGate } from '#forwarder/accept/gate/reading-gate.ts';
import type { Chunk, Intake, Undecodable } from '#forwarder/intake/chunk.ts';
import { excessOf } from '#shared/record/event-limit.ts';
import { SluiceError } from '#shared/errors.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { forwardOptions, samples } from './forward-options.ts';
import { Answers } from './handshake-client.ts';

class HoldingIntake implements Intake {
  readonly chunks: Chunk[] = [];
  readonly deadLettered: Undecodable[] = [];
  readonly hasRoom = true;
  readonly unreadyReason = null;
  hold: (chunk: Chunk) => Promise<void> = () => Promise.resolve();
  #arrived: (() => void)[] = [];

  accept(chunk: Chunk): Promise<void> {
    this.chunks.push(chunk);
    for (const wake of this.#arrived.splice(0)) wake();
    return this.hold(chunk);
  }
  deadLetter(undecodable: Undecodable): Promise<void> {
    this.deadLettered.push(undecodable);
    return Promise.resolve();
  }
  room(): Promise<void> {
    return Promise.resolve();
  }
  async arrived(count: number): Promise<void> {
    while (this.chunks.length < count) await new Promise<void>((resolve) => this.#arrived.push(resolve));
  }
}

async function start(
  t: TestContext,
  { listen = '127.0.0.1:0', ...changes }: Partial<ForwardServerOptions> & { listen?: string } = {},
  session: Partial<SessionOptions> = {},
) {
  const intake = new HoldingIntake();
  const options = forwardOptions(intake, changes, { frameBytesMax: 100_000, ...session });
  const server = await startForwardServer(listen, options);
  t.after(() => server.close());
  const open = (): { socket: Socket; answers: Answers } => {
    const [, port] = /^127\.0\.0\.1:(\d+)$/.exec(server.address) ?? [];
    const socket = port ? connect(Number(port), '127.0.0.1') : connect(server.address.slice('unix:'.length));
    t.after(() => socket.destroy());
    return { socket, answers: new Answers(socket) };
  };
  return { intake, open, ended: () => samples(options.metrics, 'connections_closed_total'), metrics: options.metrics };
}

const message = (chunk: string): Buffer => Buffer.from(encode(['app', 1_700_000_000, { log: 'x' }, { chunk }]));

test('a frame over the limit, where there are no files, is refused behind the acks that are owed', async (t) => {
  const { intake, open, metrics } = await start(t);
  const { socket, answers } = open();
  const large = Buffer.from(encode(['big', Buffer.alloc(300_000), { size: 1, chunk: 'large' }]));
  socket.write(Buffer.concat([message('before'), large, message('behind')]));
  assert.deepEqual(await answers.next(), { ack: 'before' });
  assert.equal(await answers.next(), null);
  assert.equal(intake.chunks.length, 1);
  assert.equal(intake.deadLettered.length, 0);
  const counted = await samples(metrics, 'chunks_rejected_total');
  assert.deepEqual(counted, { '{input="forward",reason="frame_too_large"}': 1 });
});

test('a JSON text that as msgpack is larger than the limit is refused, behind the acks that are owed', async (t) => {
  const { intake, open, metrics } = await start(t);
  const { socket } = open();
  const heard: Buffer[] = [];
  socket.on('data', (piece: Buffer) => heard.push(piece));
  const zeros = (count: number, chunk: string): string =>
    `["app",1,{"a":[${Array.from({ length: count }, () => '-0').join(',')}]},{"chunk":"${chunk}"}]`;
  socket.write(zeros(11_000, 'before') + zeros(11_200, 'behind'));
  await once(socket, 'end');
  assert.deepEqual(JSON.parse(String(Buffer.concat(heard))), { ack: 'before' });
  assert.equal(intake.chunks.length, 1);
  assert.equal(intake.deadLettered.length, 0);
  const counted = await samples(metrics, 'chunks_rejected_total');
  assert.deepEqual(counted, { '{input="forward",reason="frame_too_large"}': 1 });
});

for (const [what, bytes] of [
  ['a length of 4 GiB', Buffer.from('93a161c6ffffffff', 'hex')],
  ['a length of 513 MiB', Buffer.from('93a161c620100000', 'hex')],
  ['an array of 4 G elements', Buffer.from('ddffffffff', 'hex')],
  ['a map of 4 G pairs', Buffer.from('93a16100dfffffffff', 'hex')],
  ['nesting of 100,000 arrays', Buffer.alloc(100_000, 0x91)],
  [
    'nesting inside what is passed over',
    Buffer.concat([Buffer.from('92a161dd00030000', 'hex'), Buffer.alloc(300_000, 0x91)]),
  ],
] as const) {
  test(`${what} costs the connection`, async (t) => {
    const { intake, open } = await start(t);
    const { socket, answers } = open();
    socket.write(bytes);
    assert.equal(await answers.next(), null);
    assert.equal(intake.chunks.length + intake.deadLettered.length, 0);
  });
}

test('messages under a long tag share batches only as far as their bytes pay for it', async (t) => {
  const { intake, open } = await start(t);
  const { socket, answers } = open();
  const tag = 'x'.repeat(1000);
  const one = Buffer.from(encode([tag, 1, {}]));
  socket.write(Buffer.concat([...Array.from({ length: 50 }, () => one), encode([tag, 1, {}, { chunk: 'last' }])]));
  assert.deepEqual(await answers.next(), { ack: 'last' });
  assert.equal(
    intake.chunks.reduce((sum, { count }) => sum + count, 0),
    51,
  );
  for (const { count, entries } of intake.chunks) assert.equal(excessOf({ count, tag, bytes: entries.length }), null);
});

test('metrics that want no ack are passed over, and the logs behind them are taken', async (t) => {
  const { intake, open, metrics } = await start(t);
  const { socket, answers } = open();
  socket.write(Buffer.concat([encode(['cpu', Buffer.alloc(9), { fluent_signal: 1 }]), message('logs')]));
  assert.deepEqual(await answers.next(), { ack: 'logs' });
  assert.equal(intake.chunks.length, 1);
  const counted = await samples(metrics, 'chunks_rejected_total');
  assert.deepEqual(counted, { '{input="forward",reason="signal_refused"}': 1 });
});

test('metrics that want an ack get none: their sender hears that they are not taken', async (t) => {
  const { intake, open } = await start(t);
  const { socket, answers } = open();
  socket.write(Buffer.concat([message('logs'), encode(['cpu', Buffer.alloc(9), { fluent_signal: 1, chunk: 'm' }])]));
  assert.deepEqual(await answers.next(), { ack: 'logs' });
  assert.equal(await answers.next(), null);
  assert.equal(intake.chunks.length, 1);
});

test('a connection that is refused hears the acks that it is owed first', async (t) => {
  const { intake, open } = await start(t);
  const held = Promise.withResolvers<void>();
  intake.hold = () => held.promise;
  const { socket, answers } = open();
  socket.write(Buffer.concat([message('1'), message('2'), Buffer.of(0xc1), message('3')]));
  await intake.arrived(2);
  held.resolve();
  assert.deepEqual(await answers.next(), { ack: '1' });
  assert.deepEqual(await answers.next(), { ack: '2' });
  assert.equal(await answers.next(), null);
  assert.equal(intake.chunks.length, 2);
});

test('behind a chunk that is not held nothing is acked, before it all is', async (t) => {
  const { intake, open } = await start(t);
  const gates = new Map(['1', '2', '3'].map((id) => [id, Promise.withResolvers<void>()]));
  intake.hold = ({ chunkId }) => gates.get(Buffer.from(chunkId ?? []).toString())!.promise;
  const { socket, answers } = open();
  socket.write(Buffer.concat([message('1'), message('2'), message('3')]));
  await intake.arrived(3);
  gates.get('3')?.resolve();
  gates.get('2')?.reject(new SluiceError('queue_unavailable', 'Cannot append: away'));
  await new Promise((resolve) => setImmediate(resolve));
  gates.get('1')?.resolve();
  assert.deepEqual(await answers.next(), { ack: '1' });
  assert.equal(await answers.next(), null);
});

test('a frame that does not come whole in time ends its connection', async (t) => {
  const clock = new VirtualClock();
  const { open, ended } = await start(t, { clock }, { frameTimeoutMs: 10_000 });
  const { socket, answers } = open();
  socket.write(Buffer.concat([message('1'), message('2').subarray(0, 5)]));
  assert.deepEqual(await answers.next(), { ack: '1' });
  await clock.advance(20_000);
  assert.equal(await answers.next(), null);
  assert.deepEqual(await ended(), { '{input="forward",reason="frame_timeout"}': 1 });
});

test('a silent connection stays, unless it is said otherwise', async (t) => {
  const clock = new VirtualClock();
  const { open } = await start(t, { clock });
  const { socket, answers } = open();
  socket.write(message('1'));
  assert.deepEqual(await answers.next(), { ack: '1' });
  await clock.advance(900_000);
  socket.write(message('2'));
  assert.deepEqual(await answers.next(), { ack: '2' });
});

test('a silent connection ends where that is set', async (t) => {
  const clock = new VirtualClock();
  const { open, ended } = await start(t, { clock }, { idleTimeoutMs: 60_000 });
  const { socket, answers } = open();
  socket.write(message('1'));
  assert.deepEqual(await answers.next(), { ack: '1' });
  await clock.advance(120_000);
  assert.equal(await answers.next(), null);
  assert.deepEqual(await ended(), { '{input="forward",reason="idle_timeout"}': 1 });
});

test('a peer that reads no acks is closed in time', async (t) => {
  const clock = new VirtualClock();
  const { open, ended } = await start(t, { clock }, { frameTimeoutMs: 10_000 });
  const { socket } = open();
  socket.removeAllListeners('data').pause();
  const frame = message('x'.repeat(900));
  const closed = new Promise((resolve) => socket.on('close', resolve));
  // The kernel takes megabytes of answers before any has to wait here.
  const writing = setInterval(() => {
    if (socket.writableLength < 1_000_000) for (let i = 0; i < 1000; i++) socket.write(frame);
  }, 1);
  t.after(() => clearInterval(writing));
  while (Object.keys(await ended()).length === 0) await clock.advance(1000);
  clearInterval(writing);
  assert.deepEqual(await ended(), { '{input="forward",reason="answers_unread"}': 1 });
  socket.destroy();
  await closed;
});

test('frames that do not end hold no more than the limit together, and the others go on', async (t) => {
  const clock = new VirtualClock();
  const gate = new ReadingGate(500_000, clock);
  const { intake, open, ended } = await start(t, { clock }, { gate });
  const half = Buffer.from(encode(['app', Buffer.alloc(90_000), { chunk: 'x' }])).subarray(0, 60_000);
  const slow = Array.from({ length: 12 }, open);
  for (const { socket } of slow) socket.write(half);
  const good = open();
  let sent = 0;
  while (Object.values(await ended())[0] === undefined) {
    await clock.advance(100);
    assert.ok(gate.bytesHeld < 700_000, `${gate.bytesHeld} bytes are held`);
  }
  for (; sent < 20; sent++) {
    good.socket.write(message(String(sent)));
    while (intake.chunks.length <= sent) await clock.advance(100);
    assert.deepEqual(await good.answers.next(), { ack: String(sent) });
  }
  const [closed] = Object.entries(await ended());
  assert.equal(closed?.[0], '{input="forward",reason="slow_when_full"}');
  assert.ok(closed[1] < 12, 'no more are closed than there must be');
});

test('a unix socket gets its permissions; one that a killed process left is taken over', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-unix-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'forward.sock');
  const script = join(folder, 'listen.mjs');
  writeFileSync(
    script,
    "import net from 'node:net'; net.createServer().listen(process.argv[2], () => process.send('up'));",
  );
  const killed = fork(script, [path]);
  await once(killed, 'message');
  await assert.rejects(start(t, { listen: `unix:${path}` }), { code: 'listen_failed' });
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  assert.ok(statSync(path).isSocket(), 'it is left behind');
  const { open } = await start(t, { listen: `unix:${path}`, socketMode: 0o660 });
  assert.equal(statSync(path).mode & 0o777, 0o660);
  const { socket, answers } = open();
  socket.write(message('1'));
  assert.deepEqual(await answers.next(), { ack: '1' });
});

test('a file that is no socket is never taken away', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-unix-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'precious');
  writeFileSync(path, 'x');
  await assert.rejects(start(t, { listen: `unix:${path}` }), { code: 'listen_failed' });
  assert.ok(statSync(path).isFile());
});
