// Names by position: however a source's lines are cut into batches, records and dead letters, each has the same name.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { type RecordSegment, splitSegment } from '#forwarder/gather/record-segment.ts';
import { Settlement } from '#forwarder/gather/settlement.ts';
import { unpack } from '#indexer/unpack/unpack.ts';
import { readDeadLetter, recordOfDeadLetter } from '#shared/queue/dead-letter.ts';
import { headedDeadLetter, headedRecord } from '#shared/queue/headers.ts';
import { splitRecord } from '#shared/queue/spooled/feed/split-record.ts';
import { deadLettersOfRefused } from '#shared/queue/spooled/feed/refused-record.ts';
import { chainAfterRun, chainNext, chainStart } from '#shared/record/chain.ts';
import { documentId } from '#shared/record/identity.ts';
import { type Batch, type QueueRecord, encodeBatches } from '#shared/record/record.ts';

const sha = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest().subarray(0, 16);

const batchOf = (count: number, first: number, chain: Uint8Array): Batch => ({
  version: 2,
  id: Buffer.alloc(16, count),
  first,
  count,
  tag: 't',
  input: 'forward',
  tenant: null,
  receivedMs: 1,
  seq: 1,
  sender: 's',
  chain,
});

async function idsOf(record: QueueRecord): Promise<string[]> {
  return idsOfHeaded(headedRecord(record));
}

async function idsOfHeaded(headed: Pick<ReturnType<typeof headedRecord>, 'headers' | 'value'>): Promise<string[]> {
  const opened = await unpack({ ...headed, partition: 0, offset: 0, timestampMs: 0 }, { bytesMax: 1e6 });
  assert(opened.kind === 'unpacked', JSON.stringify(opened));
  return opened.batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, i) => documentId(batch, batch.first + i)),
  );
}

test('the chain is as published', () => {
  const start = chainStart('/var/log/a.log', '17');
  const hashed = Buffer.from('\0\0\0\x0dsluice source\0\0\0\x0e/var/log/a.log\0\0\0\x0217', 'latin1');
  assert.deepEqual(start, sha(hashed));
  const record = Buffer.from(encode({ log: 'a' }));
  assert.deepEqual(chainNext(start, record), sha(Buffer.concat([start, record])));
  const large = Buffer.alloc(100_000, 1);
  assert.deepEqual(chainNext(start, large), sha(Buffer.concat([start, large])));
  assert.notDeepEqual(chainStart('ab', 'c'), chainStart('a', 'bc'));
});

test('a name is the time of the entry and the chain after it', async () => {
  const chain = chainStart('a', '');
  const records = [{ log: 'a' }, { log: 'b' }].map((record) => Buffer.from(encode(record)));
  const value = Buffer.concat([
    Buffer.from('92ce6553f100', 'hex'),
    records[0]!,
    Buffer.from('92c0', 'hex'),
    records[1]!,
  ]);
  const after = chainNext(chain, records[0]!);
  const ids = await idsOf({ encoding: 'identity', batches: encodeBatches([batchOf(2, 5, chain)]), value });
  assert.deepEqual(ids, [
    Buffer.concat([Buffer.from('018bcfe56800', 'hex'), after]).toString('base64url'),
    Buffer.concat([Buffer.alloc(6), chainNext(after, records[1]!)]).toString('base64url'),
  ]);
  assert.deepEqual(
    ids.map(({ length }) => length),
    [30, 30],
  );
});

test('lines that are equal have names of their own', async () => {
  const value = Buffer.concat(Array.from({ length: 100 }, () => Buffer.from(encode([null, { log: 'the same' }]))));
  const batches = encodeBatches([batchOf(100, 0, chainStart('a', ''))]);
  assert.equal(new Set(await idsOf({ encoding: 'identity', batches, value })).size, 100);
});

// What a sender, the edge and the dead letters may do to a run of entries; none of it changes a name.
test('any cutting gives the same names', async () => {
  const entry = fc.tuple(fc.option(fc.nat(2_000_000_000)), fc.string({ maxLength: 40 }));
  const cuts = fc.array(fc.nat(), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { minLength: 1, maxLength: 30 }),
      cuts,
      fc.integer({ min: 1, max: 300 }),
      async (lines, given, bytesMax) => {
        const entries = lines.map(([time, log]) => Buffer.from(encode([time, { log }])));
        const start = chainStart('source', 'generation');
        const whole = batchOf(entries.length, 0, start);
        const expected = await idsOf({
          encoding: 'identity',
          batches: encodeBatches([whole]),
          value: Buffer.concat(entries),
        });

        const places = [...new Set([0, ...given.map((cut) => cut % entries.length)])].sort((a, b) => a - b);
        const seen = {
          batches: [] as string[],
          segments: [] as string[],
          pieces: [] as string[],
          deadLetters: [] as string[],
        };
        let chain: Uint8Array = start;
        for (const [i, place] of places.entries()) {
          const run = entries.slice(place, places[i + 1]);
          const bytes = Buffer.concat(run);
          const batch = batchOf(run.length, 0, chain);
          const record = { encoding: 'identity', batches: encodeBatches([batch]), value: bytes } as const;
          seen.batches.push(...(await idsOf(record)));
          const segment: RecordSegment = { batch, encoding: 'identity', bytes, settlement: new Settlement().expect() };
          for (const part of wholeOf(splitSegment(segment, bytesMax)))
            seen.segments.push(
              ...(await idsOf({ encoding: 'identity', batches: encodeBatches([part.batch]), value: part.bytes })),
            );
          const taken: QueueRecord[] = [];
          const refused = await splitRecord(record, async (piece) => {
            const fits = piece.value.length <= bytesMax;
            if (fits) taken.push(piece);
            return fits;
          });
          const pieces: string[] = [];
          for (const piece of [...taken, ...refused]) pieces.push(...(await idsOf(piece)));
          seen.pieces.push(...inOrderOf(expected, pieces));
          seen.deadLetters.push(...(await idsOfDeadLetters(record)));
          chain = wholeOf(chainAfterRun(chain, bytes));
        }
        assert.deepEqual(seen, { batches: expected, segments: expected, pieces: expected, deadLetters: expected });
      },
    ),
    { numRuns: 100 },
  );
});

/** Of the record's dead letters, each read back as a record. */
async function idsOfDeadLetters(record: QueueRecord): Promise<string[]> {
  const ids: string[] = [];
  for (const deadLetter of await deadLettersOfRefused(record, 'refused')) {
    const read = readDeadLetter({ ...headedDeadLetter(deadLetter), partition: 0, offset: 0, timestampMs: 0 });
    assert(read.kind === 'dead-letter');
    const again = recordOfDeadLetter(read);
    assert(typeof again === 'object');
    ids.push(...(await idsOfHeaded(again)));
  }
  return ids;
}

function wholeOf<T>(steps: Generator<null, T, void>): T {
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/** What fits and what does not comes apart. */
function inOrderOf(order: readonly string[], names: readonly string[]): string[] {
  const places = new Map(order.map((name, place) => [name, place]));
  return names.toSorted((a, b) => (places.get(a) ?? -1) - (places.get(b) ?? -1));
}

test('the chain of a long run is made in steps: each entry is a hash, however small', () => {
  const count = 10_000;
  const run = Buffer.concat(Array.from({ length: count }, () => Buffer.from([0x92, 0, 0x80])));
  let steps = 0;
  for (const _ of chainAfterRun(chainStart('s', 'g'), run)) steps += 1;
  assert.equal(steps, Math.floor(count / 2048));
});
