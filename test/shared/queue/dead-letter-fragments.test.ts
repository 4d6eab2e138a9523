// Dead letters that are larger than their topic takes: written in fragments, read back whole, and never taken for whole
// when they are not.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ReadDeadLetter, recordOfDeadLetter } from '#shared/queue/dead-letter.ts';
import { appendDeadLetters } from '#shared/queue/dead-letter-appends.ts';
import { deadLetterBytes, fragmentsOf } from '#shared/queue/dead-letter-fragments.ts';
import { headedDeadLetter } from '#shared/queue/headers.ts';
import { readDeadLetters, surveyDeadLetters, type DeadLetterSelection } from '#shared/queue/dead-letter-reader.ts';
import type { DeadLetter, FetchedRecord, ReadOptions } from '#shared/queue/queue.ts';
import { encodeBatches } from '#shared/record/record.ts';

const ID_BYTES = 16;
const newId = (): Uint8Array => randomBytes(ID_BYTES);
const { signal } = new AbortController();

/** A table of so many batches. */
function table(batches: number): Buffer {
  const row = {
    version: 1 as const,
    chain: null,
    first: 0,
    count: 1,
    tag: 'app.web',
    input: 'forward',
    tenant: null,
    receivedMs: 5,
    seq: 1,
    sender: 's',
  };
  return encodeBatches(Array.from({ length: batches }, (_, i) => ({ ...row, id: Buffer.alloc(ID_BYTES, i) })));
}

/** Of a whole record; its bytes are such that each place differs from its neighbours. */
function deadLetterOf(bytes: number, { batches = 1, error = 'no', from = 'l/0/1' } = {}): DeadLetter {
  const value = Buffer.alloc(bytes);
  for (let i = 0; i + 4 <= bytes; i += 4) value.writeUInt32BE(i, i);
  const about = { reason: 'record_malformed', error, from, cut: false };
  const headers = { encoding: Buffer.from('zstd'), recordVersion: Buffer.from('1') };
  return { ...about, ...headers, batches: table(batches), value };
}

/** A topic of one partition, a record a millisecond. */
const recordsOf = (deadLetters: readonly DeadLetter[]): FetchedRecord[] =>
  deadLetters.map((deadLetter, offset) => ({
    ...headedDeadLetter(deadLetter),
    partition: 0,
    offset,
    timestampMs: offset,
  }));

async function readBack(
  records: readonly FetchedRecord[],
  selection: DeadLetterSelection = {},
): Promise<ReadDeadLetter[]> {
  const read = async function* ({ fromMs = 0, toMs = Infinity }: ReadOptions): AsyncGenerator<FetchedRecord> {
    yield* records.filter(({ timestampMs }) => timestampMs >= fromMs && timestampMs < toMs);
  };
  const survey = await surveyDeadLetters({ read }, selection.fromMs, signal);
  return Array.fromAsync(readDeadLetters({ read }, selection, { survey, signal }));
}

function assertSame(read: ReadDeadLetter | undefined, given: DeadLetter): void {
  assert(read);
  assert.deepEqual([read.missingBytes, read.cut, read.from, read.reason], [0, false, given.from, given.reason]);
  assert(Buffer.from(read.value).equals(given.value), 'the bytes are the same');
  assert.deepEqual(encodeBatches(read.batches), Buffer.from(given.batches));
}

test('any dead letter, any limit, any order of the wholes, repeats of any fragment: read back as it was', async () => {
  const given = fc.record({
    bytes: fc.nat(20_000),
    batches: fc.integer({ min: 1, max: 200 }),
    error: fc.string({ maxLength: 500, unit: 'grapheme' }),
    bytesMax: fc.integer({ min: 3000, max: 12_000 }),
    smaller: fc.integer({ min: 3000, max: 12_000 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(given, { minLength: 1, maxLength: 3 }),
      fc.infiniteStream(fc.nat(99)),
      async (all, draws) => {
        const draw = (below: number): number => Math.floor(((draws.next().value ?? 0) / 100) * below);
        const deadLetters = all.map(({ bytes, batches, error }, i) =>
          deadLetterOf(bytes, { batches, error, from: `l/0/${i}` }),
        );
        const waiting = deadLetters.map((deadLetter, i) => {
          const { bytesMax = 0, smaller = 0 } = all[i] ?? {};
          const fragments = fragmentsOf(deadLetter, bytesMax, newId);
          for (const fragment of fragments) assert(deadLetterBytes(fragment) <= bytesMax);
          // Some find a topic whose limit was lowered meanwhile.
          return fragments.flatMap((fragment) =>
            draw(2) === 0 && fragment.fragment ? fragmentsOf(fragment, smaller, newId) : [fragment],
          );
        });
        const written: DeadLetter[] = [];
        while (waiting.some((fragments) => fragments.length > 0)) {
          const fragments = waiting[draw(waiting.length)] ?? [];
          const next = fragments[0];
          if (!next) continue;
          written.push(next);
          // A retry whose first try was written after all. Of a dead letter of one record that is a second dead letter.
          if (draw(3) > 0 || !next.fragment) fragments.shift();
        }
        const read = await readBack(recordsOf(written));
        assert.equal(read.length, deadLetters.length);
        for (const [i, deadLetter] of deadLetters.entries())
          assertSame(
            read.find(({ from }) => from === `l/0/${i}`),
            deadLetter,
          );
      },
    ),
    { numRuns: 200 },
  );
});

test('whatever fragment is missing, the dead letter says so, and is never replayed', async () => {
  const deadLetter = deadLetterOf(40_000);
  const fragments = fragmentsOf(deadLetter, 10_000, newId);
  assert(fragments.length >= 4);
  for (let missing = 0; missing < fragments.length; missing++) {
    const [read, ...more] = await readBack(recordsOf(fragments.toSpliced(missing, 1)));
    assert(read && more.length === 0, `one letter without part ${missing}`);
    assert(read.missingBytes > 0);
    assert.equal(recordOfDeadLetter(read), 'some of its parts are missing');
    assert.equal(read.offset, 0);
  }
  const [begun] = await readBack(recordsOf(fragments.slice(0, 2)));
  assert.equal(begun?.missingBytes, 40_000 - (fragments[2]?.fragment?.at ?? 0), 'its writer died');
});

test('the writer dies between two fragments and writes all again: one is incomplete, one whole', async () => {
  const deadLetter = deadLetterOf(40_000);
  const first = fragmentsOf(deadLetter, 10_000, newId).slice(0, 2);
  const read = await readBack(recordsOf([...first, ...fragmentsOf(deadLetter, 10_000, newId)]));
  assert.deepEqual(
    read.map(({ missingBytes, offset }) => [missingBytes > 0, offset]),
    [
      [true, 0],
      [false, 2],
    ],
  );
  assertSame(read[1], deadLetter);
  // The same fragments once more, as a spool feeds them after a crash: no second dead letter.
  const again = fragmentsOf(deadLetter, 10_000, newId);
  assert.equal((await readBack(recordsOf([...again.slice(0, 3), ...again, ...again]))).length, 1);
});

test('a dead letter is as old as its first fragment', async () => {
  const deadLetter = deadLetterOf(40_000);
  const records = recordsOf(fragmentsOf(deadLetter, 10_000, newId));
  const check = async (selection: DeadLetterSelection, expected: number): Promise<void> => {
    const read = await readBack(records, selection);
    assert.equal(read.length, expected, JSON.stringify(selection));
    if (expected > 0) assertSame(read[0], deadLetter);
  };
  await check({ toMs: 1 }, 1);
  await check({ fromMs: 0, toMs: 2 }, 1);
  await check({ fromMs: 1 }, 0);
});

test('an error that would fill a record is shortened, without half a character', () => {
  const [only, ...more] = fragmentsOf(deadLetterOf(10, { error: '“'.repeat(5000) }), 8000, newId);
  assert(only && more.length === 0 && only.fragment === undefined);
  assert.match(only.error, /^“{100,}$/);
});

test('fragments go one after another under one key, and what fits goes beside them', async () => {
  const large = deadLetterOf(40_000);
  const small = deadLetterOf(10, { from: 'small' });
  const keys = new Set<string>();
  let inFlight = 0;
  let smallOnes = 0;
  await appendDeadLetters([small, large, small], {
    bytesMax: 10_000,
    append: async ({ deadLetters, bytes, key }) => {
      assert(bytes <= 10_000);
      if (key === null) {
        smallOnes += deadLetters.length;
        return;
      }
      keys.add(Buffer.from(key).toString('hex'));
      assert.equal(inFlight++, 0, 'the part before is held');
      await new Promise(setImmediate);
      inFlight--;
    },
  });
  assert.deepEqual([smallOnes, keys.size], [2, 1]);
});
