// Compressed bodies within their budgets: what their bytes grow to, and who waits for the memory that it takes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { LARGE_BODY_BYTES } from '#forwarder/accept/turns/large-body-slots.ts';
import { ByteBudget, type Permit } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { Fixture, JSON_BODY, request } from '../http/http-fixture.ts';
import { KIB, MIB, bodyReader } from './body-readers.ts';

class WatchedBudget extends ByteBudget {
  most = 0;

  override take(bytes: number): Permit {
    const permit = super.take(bytes);
    this.most = Math.max(this.most, this.bytesHeld);
    return permit;
  }
}

test('bodies that grow without bounds are opened one after another, each within its own', async () => {
  const bodyBytesMax = 2 * LARGE_BODY_BYTES;
  const large = new WatchedBudget(2 * bodyBytesMax);
  await using fixture = await Fixture.start({}, systemClock, { large, bodyBytesMax });
  const bomb = zstdCompressSync(Buffer.alloc(20 * bodyBytesMax));
  const headers = { ...JSON_BODY, 'content-encoding': 'zstd' };
  const answers = await Promise.all(Array.from({ length: 40 }, () => fixture.post('/app', bomb, headers)));
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([413]));
  assert.equal(large.most, 2 * bodyBytesMax);
  assert.equal(large.bytesHeld, 0);
});

test('small bombs of a crowd wait for each other, and a body of somebody else for one or two of them', async () => {
  const bodies = bodyReader({
    bodyBytesMax: MIB,
    heldBytesMax: 64 * MIB,
    smallReserveBytes: 256 * KIB,
    waitMs: 60_000,
  });
  using held = new DisposableStack();
  const opened: string[] = [];
  const open = async (sender: string): Promise<void> => {
    const packed = zstdCompressSync(Buffer.alloc(KIB));
    await bodies.decompress(packed, 'zstd', { held, sender, takeTurn: () => Promise.resolve() });
    opened.push(sender);
  };
  await Promise.all([...Array.from({ length: 20 }, () => open('crowd')), open('good')]);
  assert(opened.indexOf('good') <= 3, opened.join(' '));
});

test('a body is opened only while there is room for bodies', async () => {
  const bodies = bodyReader({ bodyBytesMax: 2 * MIB, heldBytesMax: 2 * MIB, waitMs: 5 });
  using held = new DisposableStack();
  const open = () =>
    bodies.decompress(zstdCompressSync('x'), 'zstd', { held, sender: 'a', takeTurn: () => Promise.resolve() });
  const full = bodies.take(2 * MIB);
  await assert.rejects(open(), { code: 'intake_full' });
  full[Symbol.dispose]();
  assert.equal(String((await open()).body), 'x');
});

test('what was made of large bodies, compressed or not, is waited for until its events are held', async () => {
  const bodyBytesMax = 6 * LARGE_BODY_BYTES;
  const large = new WatchedBudget(2 * bodyBytesMax);
  await using fixture = await Fixture.start({ roomWaitMs: 60_000 }, systemClock, { large, bodyBytesMax });
  const { intake } = fixture;
  // Two of them, in buffers of 4 MiB, are more than what one sender leaves free.
  const lines = JSON.stringify(Array.from({ length: 24 }, (_, n) => ({ n, message: 'x'.repeat(90_000) })));
  const packed = { ...JSON_BODY, 'content-encoding': 'gzip' };
  intake.hold();
  const first = fixture.post('/one', lines);
  await intake.arrived(1);
  const more = ['two', 'three', 'four'].map((tag) => fixture.post(`/${tag}`, gzipSync(lines), packed));
  for (let i = 0; i < 300; i += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  assert(intake.chunks.length <= 2, `${intake.chunks.length} are converted`);
  assert.equal(large.bytesHeld, 0, 'what they were opened and converted in is free');
  assert(large.most >= lines.length, `${large.most}`);
  const converted = intake.chunks.length;
  const other = await fixture.raw('127.0.0.2');
  other.write(request('/other', lines));
  await intake.arrived(converted + 1);
  assert.equal(intake.chunks.at(-1)?.tag, 'other', 'nobody else waits for them');
  intake.release();
  assert.match(await other.until(/^HTTP/), /^HTTP\/1.1 200/);
  other.socket.destroy();
  const answers = await Promise.all([first, ...more]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  assert(large.most <= 2 * bodyBytesMax, `${large.most}`);
  assert.equal(large.bytesHeld, 0);
});

test('what Snappy holds inside of gzip is reserved before it is unpacked', async () => {
  const bodyBytesMax = 8 * LARGE_BODY_BYTES;
  const large = new WatchedBudget(2 * bodyBytesMax);
  await using fixture = await Fixture.start({}, systemClock, { large, bodyBytesMax });
  // A body of 4 MiB by its own word, and of 1.1 MiB by gzip's.
  const size = Buffer.from([0x80, 0x80, 0x80, 0x02]);
  const snappy = Buffer.concat([size, Buffer.alloc(1.1 * LARGE_BODY_BYTES)]);
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
  const answer = await fixture.post('/loki/api/v1/push', gzipSync(snappy), headers);
  assert.equal(answer.status, 400, answer.body);
  assert(large.most >= 2 * 4 * LARGE_BODY_BYTES, `${large.most}`);
  assert.equal(large.bytesHeld, 0);
});
