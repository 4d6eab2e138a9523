// However many connections have something ready at once, one turn of the event loop has so much of it: over real
// sockets, and counted by what comes to intake between two turns.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { mock, type TestContext, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { startForwardServer } from '#forwarder/accept/forward/forward-server.ts';
import { forwardTurn } from '#forwarder/accept/forward/frame-turns.ts';
import { LargeBodySlots } from '#forwarder/accept/turns/large-body-slots.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { systemClock } from '#shared/clock.ts';
import { FakeIntake } from '../forward/fake-intake.ts';
import { forwardOptions } from '../forward/forward-options.ts';
import { Fixture, type Raw, request } from '../http/http-fixture.ts';

const CONNECTIONS = 300;
const BODY_BYTES = 30 * 1024;

/** Counts what `accept` is given in each turn of the event loop. */
function countTurns(t: TestContext, intake: FakeIntake): { readonly most: number } {
  const turns = { most: 0 };
  let count = 0;
  const accept = intake.accept.bind(intake);
  intake.accept = (chunk: Chunk) => {
    count += 1;
    turns.most = Math.max(turns.most, count);
    return accept(chunk);
  };
  let isOver = false;
  const next = (): void => {
    count = 0;
    if (!isOver) setImmediate(next);
  };
  next();
  t.after(() => (isOver = true));
  return turns;
}

/** Requests that miss a byte each; `end` sends all of these. */
async function begun(
  { server }: Fixture,
  count: number,
  text: string,
  open: () => Promise<Raw>,
): Promise<{ readonly all: readonly Raw[]; end(): void }> {
  const all = await Promise.all(Array.from({ length: count }, open));
  for (const one of all) one.write(text.slice(0, -1));
  // What was written before is read before the answer to this.
  await fetch(`http://${server.address}/ready`).then((answer) => answer.text());
  return {
    all,
    end: () => {
      for (const one of all) one.write(text.slice(-1));
    },
  };
}

const otlp = (): string => {
  const record = '{"body":{"intValue":1}}';
  const records = Array.from({ length: BODY_BYTES / record.length }, () => record).join(',');
  return request('/v1/logs', `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${records}]}]}]}`);
};

test('bodies of hundreds of connections that end at once are converted in many turns', async (t) => {
  await using fixture = await Fixture.start({}, systemClock, { bodyBytesMax: 16 * 1024 * 1024 });
  const { all, end } = await begun(fixture, CONNECTIONS, otlp(), () => fixture.raw());
  const turns = countTurns(t, fixture.intake);
  end();
  await Promise.all(all.map((one) => one.until(/^HTTP/).then((text) => assert.match(text, /^HTTP\/1.1 200/))));
  assert.equal(fixture.intake.chunks.length, CONNECTIONS);
  // One or two by their bytes, in what may be two turns of ours.
  assert(turns.most <= 4, `${turns.most} bodies in a turn`);
  for (const { socket } of all) socket.destroy();
});

test('documents with ids, which are chunks of their own, share a turn too', async (t) => {
  await using fixture = await Fixture.start({}, systemClock, { bodyBytesMax: 16 * 1024 * 1024 });
  const items = Array.from({ length: 500 }, (_, id) => `{"index":{"_id":"${id}"}}\n{}\n`).join('');
  const { all, end } = await begun(fixture, 40, request('/a/_bulk', items), () => fixture.raw());
  const turns = countTurns(t, fixture.intake);
  end();
  await Promise.all(all.map((one) => one.until(/^HTTP/).then((text) => assert.match(text, /^HTTP\/1.1 200/))));
  assert.equal(fixture.intake.chunks.length, 40 * 500);
  assert(turns.most <= 500, `${turns.most} documents in a turn`);
  for (const { socket } of all) socket.destroy();
});

const ids = (count: number): string =>
  request('/a/_bulk', Array.from({ length: count }, (_, id) => `{"index":{"_id":"${id}"}}\n{}\n`).join(''));

async function someTurns(): Promise<void> {
  for (let turns = 0; turns < 50; turns += 1) await new Promise(setImmediate);
}

test('documents with ids of sixteen requests are in hand at once; a few of another one wait for nobody', async () => {
  await using fixture = await Fixture.start({}, systemClock, { bodyBytesMax: 16 * 1024 * 1024 });
  const { intake } = fixture;
  const { all, end } = await begun(fixture, 40, ids(700), () => fixture.raw());
  intake.hold();
  end();
  await intake.arrived(16 * 256);
  await someTurns();
  assert.equal(intake.chunks.length, 16 * 256);
  const few = await fixture.raw();
  few.write(ids(10));
  await intake.arrived(16 * 256 + 10);
  intake.release();
  for (const one of [...all, few]) assert.match(await one.until(/^HTTP/), /^HTTP\/1.1 200/);
  assert.equal(intake.chunks.length, 40 * 700 + 10);
  for (const { socket } of [...all, few]) socket.destroy();
});

test('whoever is gone while he waits hands over no documents; a turn ends only when its own are settled', async () => {
  await using fixture = await Fixture.start({}, systemClock, { bodyBytesMax: 16 * 1024 * 1024 });
  const { intake } = fixture;
  const { all, end } = await begun(fixture, 40, ids(700), () => fixture.raw());
  intake.hold();
  end();
  await intake.arrived(16 * 256);
  for (const { socket } of all) socket.destroy();
  await Promise.all(all.map((one) => one.ended()));
  while (fixture.connections >= 40) await new Promise(setImmediate);
  const next = await fixture.raw();
  next.write(ids(700));
  await someTurns();
  assert.equal(intake.chunks.length, 16 * 256);
  intake.release();
  assert.match(await next.until(/^HTTP/), /^HTTP\/1.1 200/);
  // Those that had begun may go on; the others have handed over nothing.
  assert(intake.chunks.length <= 16 * 700 + 700, `${intake.chunks.length}`);
  next.socket.destroy();
});

test("one sender's large bodies, which wait for each other, keep nobody else from his turn", async () => {
  const largeTurns = mock.method(LargeBodySlots.prototype, 'enter');
  await using fixture = await Fixture.start({ roomWaitMs: 20_000 }, systemClock, { bodyBytesMax: 16 * 1024 * 1024 });
  const { intake } = fixture;
  const large = 'x'.repeat(1_100_000);
  intake.hold();
  // Has the sender's turn until it is held.
  const upload = fixture.post('/upload', `MESSAGE=${large}\n\n`, { 'content-type': 'application/vnd.fdo.journal' });
  await intake.arrived(1);
  const bulk = request('/a/_bulk', `{"index":{}}\n{"m":"${large}"}\n`);
  const { all, end } = await begun(fixture, 16, bulk, () => fixture.raw());
  end();
  while (largeTurns.mock.callCount() < 17) await new Promise(setImmediate);
  const other = await fixture.raw('127.0.0.2');
  other.write(request('/b/_bulk', `{"index":{}}\n{"m":"${'x'.repeat(8192)}"}\n`));
  await intake.arrived(2);
  assert.equal(intake.chunks[1]?.tag, 'b');
  intake.release();
  for (const one of [...all, other]) assert.match(await one.until(/^HTTP/), /^HTTP\/1.1 200/);
  assert.equal((await upload).status, 200);
  for (const { socket } of [...all, other]) socket.destroy();
  largeTurns.mock.restore();
});

test('a body waits for one of a crowd of another address, and those that are gone are not converted', async () => {
  await using fixture = await Fixture.start({}, systemClock, { bodyBytesMax: 16 * 1024 * 1024 });
  const crowd = await begun(fixture, CONNECTIONS, otlp(), () => fixture.raw());
  const good = await begun(fixture, 1, request('/good', '{"a":1}'), () => fixture.raw('127.0.0.2'));
  crowd.end();
  await fixture.intake.arrived(1);
  const before = fixture.intake.chunks.length;
  good.end();
  await good.all[0]?.until(/^HTTP\/1.1 200/);
  good.all[0]?.socket.destroy();
  const place = fixture.intake.chunks.findIndex(({ tag }) => tag === 'good');
  // It has to be read first, which is a turn or two.
  assert(place - before <= 20, `${place - before} of ${CONNECTIONS} went before it`);
  for (const { socket } of crowd.all) socket.destroy();
  await Promise.all(crowd.all.map((one) => one.ended()));
  // Those of the good one and of `fetch` are left.
  while (fixture.connections >= CONNECTIONS / 10) await new Promise(setImmediate);
  const taken = fixture.intake.chunks.length;
  assert(taken < CONNECTIONS, `${taken} were converted`);
  const last = await fixture.post('/after', '{"a":1}');
  assert.equal(last.status, 200);
  assert(fixture.intake.chunks.length <= taken + 2, 'nobody is converted who is gone');
});

test('frames of hundreds of connections share a turn, and stay in order', async (t) => {
  const intake = new FakeIntake();
  const turns = countTurns(t, intake);
  const server = await startForwardServer('127.0.0.1:0', forwardOptions(intake, {}, { turn: forwardTurn() }));
  t.after(() => server.close());
  const frames = 400;
  const open = async (): Promise<Socket> => {
    const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, open));
  const frame = (number: number, chunk: number): Uint8Array => encode([`c${number}`, 1, {}, { chunk: String(chunk) }]);
  // Node accepts one connection a turn: all of them are read when each has an ack.
  for (const [number, socket] of sockets.entries()) socket.write(frame(number, 0));
  await Promise.all(sockets.map((socket) => once(socket, 'data')));
  const bytes = sockets.map((_, number) => {
    return Buffer.concat(Array.from({ length: frames - 1 }, (_frame, i) => frame(number, i + 1)));
  });
  for (const [number, socket] of sockets.entries()) socket.resume().write(bytes[number] ?? '');
  while (intake.chunks.length < CONNECTIONS * frames) await new Promise(setImmediate);
  assert(turns.most <= 600, `${turns.most} chunks in a turn`);
  const next = new Map<string, number>();
  for (const { tag, chunkId } of intake.chunks) {
    const number = next.get(tag) ?? 0;
    assert.equal(String(chunkId), String(number), tag);
    next.set(tag, number + 1);
  }
});

test('a stop waits for no turn of those whose frames were not looked at', async (t) => {
  const intake = new FakeIntake();
  const turn = forwardTurn();
  const server = await startForwardServer('127.0.0.1:0', forwardOptions(intake, {}, { turn }));
  const socket = connect(Number(server.address.split(':')[1]), '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const frame = Buffer.from(encode(['app', 1, {}, { chunk: 'c' }]));
  socket.resume().write(Buffer.concat(Array.from({ length: 4000 }, () => frame)));
  await intake.arrived(1);
  await server.close();
  assert(intake.chunks.length < 4000, `${intake.chunks.length} chunks`);
});
