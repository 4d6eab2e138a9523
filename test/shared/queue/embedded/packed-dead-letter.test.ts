// Dead letters that the embedded queue stores compressed: every reader has them as they were, they are counted as they
// are stored, and rows that are damaged, older or newer than this version stop nobody.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it, type TestContext } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import type { ReadDeadLetter } from '#shared/queue/dead-letter.ts';
import { openEmbeddedQueue } from '#shared/queue/embedded/embedded-queue.ts';
import { unpackedDeadLetter } from '#shared/queue/embedded/packed-dead-letter.ts';
import { type Headers, headedDeadLetter } from '#shared/queue/headers.ts';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import type { DeadLetter, FetchedRecord, Queue } from '#shared/queue/queue.ts';
import { compress } from '#shared/record/compression.ts';
import { type Batch, encodeBatches, RECORD_VERSION } from '#shared/record/record.ts';

const MIB = 1024 * 1024;
const NIL = 0xc0;
const signal = new AbortController().signal;

describe('dead letters in the embedded queue', () => {
  for (const [name, value] of [
    ['an empty value', Buffer.alloc(0)],
    ['a value that is not worth it', Buffer.alloc(512, NIL)],
    ['the smallest that is', Buffer.alloc(513, NIL)],
    ['one that is compressed in the pool', Buffer.alloc(270_000, NIL)],
    ['noise', randomBytes(100_000)],
    ['one in parts', Buffer.alloc(20 * MIB, NIL)],
    ['noise in parts', randomBytes(9 * MIB)],
  ] as const) {
    for (const cut of [false, true]) {
      it(`are read as they were: ${name}${cut ? ', of which the rest was never held' : ''}`, async (t) => {
        await using queue = await open(t);
        await queue.appendDeadLetters([{ ...deadLetter(value), cut }]);
        const [read, ...more] = await lettersIn(queue);
        assert(read);
        assert.equal(more.length, 0);
        assert(read.value instanceof Uint8Array && Buffer.from(read.value).equals(value));
        assert.deepEqual([read.cut, read.missingBytes, read.error, read.index], [cut, 0, 'too large', 7]);
      });
    }
  }

  it('count as they are stored, so that what a sender compressed cannot fill their budget', async (t) => {
    await using queue = await open(t);
    const bad = deadLetter(Buffer.alloc(270_000, NIL));
    await queue.appendDeadLetters(Array.from({ length: 70 }, () => bad));
    assert.equal((await lettersIn(queue)).length, 70);
    assert(queue.deadLetterSpace.bytesStored < 64 * 1024, `${queue.deadLetterSpace.bytesStored}`);
    // More than the budget has, were it not compressed; it comes in parts.
    await queue.appendDeadLetters([deadLetter(Buffer.alloc(40 * MIB, NIL))]);
    assert(queue.deadLetterSpace.bytesStored < MIB, `${queue.deadLetterSpace.bytesStored}`);
  });

  it('in parts are refused whole where not all of them fit', async (t) => {
    await using queue = await open(t);
    await assert.rejects(queue.appendDeadLetters([deadLetter(randomBytes(17 * MIB))]), { code: 'dead_letters_full' });
    assert.equal(queue.deadLetterSpace.bytesStored, 0);
  });

  it('that an earlier version has written are read, and it is told that a compressed value is not whole', async (t) => {
    const value = Buffer.alloc(5000, NIL);
    await using queue = await open(t);
    const { headers } = headedDeadLetter(deadLetter(value));
    await queue.appendHeaded('dead-letters', [{ headers, value }], { owners: [1], wholeBytes: 0 });
    await queue.appendDeadLetters([deadLetter(value)]);
    const read = await lettersIn(queue);
    assert.deepEqual(
      read.map((one) => [one.cut, Buffer.from(one.value).equals(value)]),
      [
        [false, true],
        [false, true],
      ],
    );
    const database = new DatabaseSync(join(queue.folder, 'queue/log.sqlite'), { readOnly: true });
    const rows = database.prepare('SELECT headers, length(value) AS bytes FROM dead_letters ORDER BY offset').all();
    database.close();
    const marks = rows.map((row) => [
      row['bytes'],
      Buffer.from(row['headers'] as Uint8Array).includes('cut\0\0\0\x011'),
    ]);
    assert.deepEqual(marks[0], [5000, false]);
    assert(Number(marks[1]?.[0]) < 100);
    assert.equal(marks[1]?.[1], true);
  });
});

describe('a dead letter that cannot be unpacked', () => {
  const value = Buffer.alloc(5000, NIL);
  for (const [name, headers, change] of [
    ['damaged bytes', {}, (packed: Buffer) => packed.fill(0x55, 6)],
    ['a cut frame', {}, (packed: Buffer) => packed.subarray(0, -1)],
    ['more than it claims', { value_bytes: '4999' }, null],
    ['less than it claims', { value_bytes: '5001' }, null],
    ['a claim beyond all bounds', { value_bytes: '999999999' }, null],
    ['a claim that is none', { value_bytes: '5e3' }, null],
    ['an encoding of later', { value_encoding: 'brotli' }, null],
  ] as const) {
    it(`is told, and taken for cut: ${name}`, async () => {
      const packed = await compress(value);
      const record = recordOf({ ...headers }, change === null ? packed : change(packed));
      const unpacked = await unpackedDeadLetter(record);
      assert.match(String(unpacked.headers['error']), /^too large; its value cannot be read: /);
      assert.equal(String(unpacked.headers['cut']), '1');
      assert.equal(unpacked.value.length, 0);
    });
  }

  it('is not that one', async () => {
    const unpacked = await unpackedDeadLetter(recordOf({}, await compress(value)));
    assert.deepEqual(
      [unpacked.value.length, unpacked.headers['cut'], String(unpacked.headers['error'])],
      [5000, undefined, 'too large'],
    );
  });

  it('leaves a gap where it is a part', async (t) => {
    await using queue = await open(t);
    await queue.appendDeadLetters([deadLetter(Buffer.alloc(20 * MIB, NIL))]);
    await queue[Symbol.asyncDispose]();
    const database = new DatabaseSync(join(queue.folder, 'queue/log.sqlite'));
    database.exec("UPDATE dead_letters SET value = x'0000' WHERE offset = 1");
    database.close();
    await using again = await open(t, queue.folder);
    const [read] = await lettersIn(again);
    assert(read && read.missingBytes > 0 && read.value.length + read.missingBytes === 20 * MIB);
  });
});

type Opened = Awaited<ReturnType<typeof openEmbeddedQueue>> & { readonly folder: string };

async function open(t: TestContext, folder?: string): Promise<Opened> {
  const dataDir = folder ?? (await mkdtemp(join(tmpdir(), 'sluice-packed-')));
  if (folder === undefined) t.after(() => rm(dataDir, { recursive: true, force: true }));
  const queue = await openEmbeddedQueue({
    dataDir,
    bytesMax: 64 * MIB,
    deadLettersBytesMax: 16 * MIB,
    retentionMs: 3_600_000,
    readOnly: false,
    clock: systemClock,
    warn: () => undefined,
  });
  return Object.assign(queue, { folder: dataDir });
}

async function lettersIn(queue: Pick<Queue, 'read'>): Promise<ReadDeadLetter[]> {
  const survey = await surveyDeadLetters(queue, undefined, signal);
  return Array.fromAsync(readDeadLetters(queue, {}, { survey, signal }));
}

function deadLetter(value: Uint8Array): DeadLetter {
  const at = { first: 7, count: 1, tag: 't', input: 'forward', tenant: null, receivedMs: 1, seq: 1, chain: null };
  const batch: Batch = { version: RECORD_VERSION, id: Buffer.alloc(16), sender: '10.0.0.1', ...at };
  const batches = encodeBatches([batch]);
  return { batches, index: 7, reason: 'document_too_large', error: 'too large', from: 'logs/0/1', value, cut: false };
}

function recordOf(changes: Readonly<Record<string, string>>, value: Uint8Array): FetchedRecord {
  const texts = { error: 'too large', cut: '1', value_encoding: 'zstd', value_bytes: '5000', ...changes };
  const headers: Headers = Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));
  return { partition: 0, offset: 0, timestampMs: 0, headers, value };
}
