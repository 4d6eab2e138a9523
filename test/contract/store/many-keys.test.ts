// Thousands of keys, each a number here, a text or an object there: nothing conflicts, no field is added to the
// mapping, and each key is found by its text and compared by number, to the last digit of 64 bits.
//
// SLUICE_TEST_KEY_EVENTS: so many events. SLUICE_TEST_KEYS_CHECKED: so many of the 5,000 keys are asked for.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { batch } from '#test/indexer/parse/documents.ts';
import { stores, type StoreInUse } from './stores.ts';

const KEYS = 5000;
const DOCUMENTS = Number(process.env['SLUICE_TEST_KEY_EVENTS'] ?? 2000);
const CHECKED = Number(process.env['SLUICE_TEST_KEYS_CHECKED'] ?? 10);
const KEYS_OF_DOCUMENT = DOCUMENTS > 100_000 ? 5 : 20;
/** Of more keys, each is asked every fourth question. */
const ASKED_ALL = 100;
const REQUEST_DOCUMENTS = 1000;
/** What a mapping may have, unless somebody sets another limit. */
const FIELDS_MAX = 1000;

const keyOf = (document: number, i: number): number => (document * KEYS_OF_DOCUMENT + i * 7) % KEYS;

/** By key and document: a number, the same as text, an object, a list, what no number is, and integers of 64 bits. */
function valueOf(document: number, key: number): unknown {
  const number = ((document * 31 + key) % 200) - 100;
  const kinds = [
    () => number,
    () => String(number),
    () => number / 8,
    () => ({ inner: number }),
    () => ['x', number],
    () => true,
    () => null,
    () => `n${number}`,
    () => EXACT + BigInt(number % 3),
    () => 2n ** 63n - 1n + BigInt(number % 2),
    () => -(2n ** 63n) + BigInt(Math.abs(number % 2)),
  ];
  return kinds[(document * 7 + key + Math.floor((document * KEYS_OF_DOCUMENT) / KEYS)) % kinds.length]?.();
}

/** No double of this value. */
const EXACT = 9_007_199_254_740_993n;

interface Question {
  readonly query: string;
  readonly fits: (value: unknown) => boolean;
}

const QUESTIONS: readonly Question[] = [
  { query: '>=20', fits: (value) => someNumber(value, (number) => number >= 20) },
  { query: '<-12.5', fits: (value) => someNumber(value, (number) => number < -12.5) },
  { query: `:[${EXACT} TO ${EXACT}]`, fits: (value) => someNumber(value, (number) => number === EXACT) },
  { query: `>${EXACT}`, fits: (value) => someNumber(value, (number) => number > EXACT) },
  { query: '>=9223372036854775807', fits: (value) => someNumber(value, (number) => number >= 2n ** 63n - 1n) },
  { query: '<=-9223372036854775808', fits: (value) => someNumber(value, (number) => number <= -(2n ** 63n)) },
  {
    query: '.inner>0',
    fits: (value) => someNumber((value as { inner?: unknown } | null)?.inner, (number) => number > 0),
  },
  { query: ':n*', fits: (value) => typeof value === 'string' && value.startsWith('n') },
  { query: ':true', fits: (value) => value === true },
];

function someNumber(value: unknown, fits: (number: number | bigint) => boolean): boolean {
  if (Array.isArray(value)) return value.some((one) => someNumber(one, fits));
  if (typeof value === 'bigint') return fits(value);
  const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : NaN;
  return !Number.isNaN(number) && fits(number);
}

const step = Math.max(1, Math.floor(KEYS / CHECKED));
const checkedKeys = Array.from({ length: Math.ceil((KEYS - 3) / step) }, (_, i) => 3 + i * step);

/** By key and question: the numbers of the documents. */
type Expected = ReadonlyMap<number, readonly (readonly number[])[]>;

async function load(stored: StoreInUse): Promise<Expected> {
  const expected = new Map(checkedKeys.map((key) => [key, QUESTIONS.map((): number[] => [])]));
  const body = new BulkBody();
  const listsNumbers = stored.store.kind === 'elasticsearch';
  const writer = new DocumentWriter(body, { dataStream: stored.stream, listsNumbers });
  writer.startBatch({ ...batch, id: Buffer.alloc(16, 9), seq: 0 }, batch.receivedMs);
  for (let document = 0; document < DOCUMENTS; document++) {
    const record: Record<string, unknown> = {};
    for (let i = 0; i < KEYS_OF_DOCUMENT; i++) {
      const key = keyOf(document, i);
      const value = valueOf(document, key);
      record[`key.${key}`] = value;
      const answers = expected.get(key);
      for (const [at, { fits }] of QUESTIONS.entries()) if (answers && fits(value)) answers[at]?.push(document);
    }
    const entry = encode([1_600_000_000, { log: String(document), ...record }], { useBigInt64: true });
    assert.equal(writer.write(entry, 0, entry.length, document), 'ok');
    if ((document + 1) % REQUEST_DOCUMENTS !== 0 && document + 1 < DOCUMENTS) continue;
    const request = body.request();
    for (const { status, errorReason } of await stored.store.bulk(request))
      assert.equal(status, 201, errorReason ?? '');
    body.release(request);
  }
  await stored.opened.refresh();
  return expected;
}

async function numbersOf(stored: StoreInUse, query: string): Promise<number[]> {
  const parsed = parseQuery(query, { nowMs: 0 });
  assert('where' in parsed, query);
  const found: number[] = [];
  const pages = stored.store.pages({ where: parsed.where, limit: Infinity, order: 'oldest' });
  for await (const { documents } of pages) for (const { source } of documents) found.push(Number(source['message']));
  return found.toSorted((a, b) => a - b);
}

for (const { name, options, use } of stores) {
  describe(name, options, () => {
    const stored = use();

    it(`${KEYS} keys of conflicting types`, async (test) => {
      const before = await stored.opened.mappedFields();
      const expected = await load(stored);
      const after = await stored.opened.mappedFields();
      assert.equal(after, before, 'no key has a field of its own');
      assert.ok(after < FIELDS_MAX, `${after} fields`);
      let found = 0;
      const asked = QUESTIONS.map(() => 0);
      for (const [key, answers] of expected) {
        for (const [at, { query }] of QUESTIONS.entries()) {
          if (expected.size > ASKED_ALL && (key + at) % 4 !== 0) continue;
          const numbers = await numbersOf(stored, `key.${key}${query}`);
          assert.deepEqual(numbers, answers[at], `key.${key}${query}`);
          found += numbers.length;
          asked[at]! += numbers.length;
        }
      }
      for (const [at, { query }] of QUESTIONS.entries()) assert.ok(asked[at]! > 0, `nothing found by ${query}`);
      test.diagnostic(`${DOCUMENTS} events; ${expected.size} keys, ${found} documents found; ${after} fields mapped`);
    });
  });
}
