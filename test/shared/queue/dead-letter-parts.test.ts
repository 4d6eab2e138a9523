// Dead letters that are larger than their topic takes: written in parts, read back whole, and never taken for whole
// when they are not.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ReadLetter, recordOfLetter } from '#shared/queue/dead-letter.ts';
import { appendDeadLetters } from '#shared/queue/dead-letter-appends.ts';
import { deadLetterBytes, partsOf } from '#shared/queue/dead-letter-parts.ts';
import { headedLetter } from '#shared/queue/headers.ts';
import { readLetters, surveyDeadLetters, type LetterSelection } from '#shared/queue/letter-reader.ts';
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
function letterOf(bytes: number, { batches = 1, error = 'no', from = 'l/0/1' } = {}): DeadLetter {
  const value = Buffer.alloc(bytes);
  for (let i = 0; i + 4 <= bytes; i += 4) value.writeUInt32BE(i, i);
  const about = { reason: 'record_malformed', error, from, cut: false };
  const headers = { encoding: Buffer.from('zstd'), recordVersion: Buffer.from('1') };
  return { ...about, ...headers, batches: table(batches), value };
}

/** A topic of one partition, a record a millisecond. */
const recordsOf = (letters: readonly DeadLetter[]): FetchedRecord[] =>
  letters.map((letter, offset) => ({ ...headedLetter(letter), partition: 0, offset, timestampMs: offset }));

async function readBack(records: readonly FetchedRecord[], selection: LetterSelection = {}): Promise<ReadLetter[]> {
  const read = async function* ({ fromMs = 0, toMs = Infinity }: ReadOptions): AsyncGenerator<FetchedRecord> {
    yield* records.filter(({ timestampMs }) => timestampMs >= fromMs && timestampMs < toMs);
  };
  const survey = await surveyDeadLetters({ read }, selection.fromMs, signal);
  return Array.fromAsync(readLetters({ read }, selection, { survey, signal }));
}

function assertSame(read: ReadLetter | undefined, given: DeadLetter): void {
  assert(read);
  assert.deepEqual([read.missingBytes, read.cut, read.from, read.reason], [0, false, given.from, given.reason]);
  assert(Buffer.from(read.value).equals(given.value), 'the bytes are the same');
  assert.deepEqual(encodeBatches(read.batches), Buffer.from(given.batches));
}

test('any letter, any limit, any order of the wholes, repeats of any part: read back as it was', async () => {
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
        const letters = all.map(({ bytes, batches, error }, i) =>
          letterOf(bytes, { batches, error, from: `l/0/${i}` }),
        );
        const waiting = letters.map((letter, i) => {
          const { bytesMax = 0, smaller = 0 } = all[i] ?? {};
          const parts = partsOf(letter, bytesMax, newId);
          for (const part of parts) assert(deadLetterBytes(part) <= bytesMax);
          // Some find a topic whose limit was lowered meanwhile.
          return parts.flatMap((part) => (draw(2) === 0 && part.part ? partsOf(part, smaller, newId) : [part]));
        });
        const written: DeadLetter[] = [];
        while (waiting.some((parts) => parts.length > 0)) {
          const parts = waiting[draw(waiting.length)] ?? [];
          const next = parts[0];
          if (!next) continue;
          written.push(next);
          // A retry whose first try was written after all. Of a letter of one record that is a second letter.
          if (draw(3) > 0 || !next.part) parts.shift();
        }
        const read = await readBack(recordsOf(written));
        assert.equal(read.length, letters.length);
        for (const [i, letter] of letters.entries())
          assertSame(
            read.find(({ from }) => from === `l/0/${i}`),
            letter,
          );
      },
    ),
    { numRuns: 200 },
  );
});

test('whatever part is missing, the letter says so, and is never replayed', async () => {
  const letter = letterOf(40_000);
  const parts = partsOf(letter, 10_000, newId);
  assert(parts.length >= 4);
  for (let missing = 0; missing < parts.length; missing++) {
    const [read, ...more] = await readBack(recordsOf(parts.toSpliced(missing, 1)));
    assert(read && more.length === 0, `one letter without part ${missing}`);
    assert(read.missingBytes > 0);
    assert.equal(recordOfLetter(read), 'some of its parts are missing');
    assert.equal(read.offset, 0);
  }
  const [begun] = await readBack(recordsOf(parts.slice(0, 2)));
  assert.equal(begun?.missingBytes, 40_000 - (parts[2]?.part?.at ?? 0), 'its writer died');
});

test('the writer dies between two parts, and all is written again: one that is incomplete, and a whole one', async () => {
  const letter = letterOf(40_000);
  const first = partsOf(letter, 10_000, newId).slice(0, 2);
  const read = await readBack(recordsOf([...first, ...partsOf(letter, 10_000, newId)]));
  assert.deepEqual(
    read.map(({ missingBytes, offset }) => [missingBytes > 0, offset]),
    [
      [true, 0],
      [false, 2],
    ],
  );
  assertSame(read[1], letter);
  // The same parts once more, as a spool feeds them after a crash: no second letter.
  const again = partsOf(letter, 10_000, newId);
  assert.equal((await readBack(recordsOf([...again.slice(0, 3), ...again, ...again]))).length, 1);
});

test('a letter is as old as its first part', async () => {
  const letter = letterOf(40_000);
  const records = recordsOf(partsOf(letter, 10_000, newId));
  const check = async (selection: LetterSelection, expected: number): Promise<void> => {
    const read = await readBack(records, selection);
    assert.equal(read.length, expected, JSON.stringify(selection));
    if (expected > 0) assertSame(read[0], letter);
  };
  await check({ toMs: 1 }, 1);
  await check({ fromMs: 0, toMs: 2 }, 1);
  await check({ fromMs: 1 }, 0);
});

test('an error that would fill a record is shortened, without half a character', () => {
  const [only, ...more] = partsOf(letterOf(10, { error: '“'.repeat(5000) }), 8000, newId);
  assert(only && more.length === 0 && only.part === undefined);
  assert.match(only.error, /^“{100,}$/);
});

test('parts go one after another under one key, and what fits goes beside them', async () => {
  const large = letterOf(40_000);
  const small = letterOf(10, { from: 'small' });
  const keys = new Set<string>();
  let inFlight = 0;
  let smallOnes = 0;
  await appendDeadLetters([small, large, small], {
    bytesMax: 10_000,
    append: async ({ letters, bytes, key }) => {
      assert(bytes <= 10_000);
      if (key === null) {
        smallOnes += letters.length;
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
