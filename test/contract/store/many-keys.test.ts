// Thousands of keys, each a number here, a text or an object there: nothing conflicts, and each is compared by number.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { batch } from '#test/indexer/parse/documents.ts';
import { stores } from './stores.ts';

const KEYS = 5000;
const DOCUMENTS = 1000;
const KEYS_OF_DOCUMENT = 50;
const CHECKED = 100;

const keyOf = (document: number, i: number): number => (document * KEYS_OF_DOCUMENT + i * 7) % KEYS;

/** By key and document: a number, the same as text, an object, a list, or what no number is. */
function valueOf(document: number, key: number): unknown {
  const number = ((document * 31 + key) % 200) - 100;
  const kinds = [number, String(number), number / 8, { inner: number }, ['x', number], true, null, `n${number}`];
  return kinds[(document + key) % kinds.length];
}

function isAtLeast(value: unknown, least: number): boolean {
  if (Array.isArray(value)) return value.some((one) => isAtLeast(one, least));
  return (typeof value === 'number' || (typeof value === 'string' && value !== '')) && Number(value) >= least;
}

for (const { name, options, use } of stores) {
  describe(name, options, () => {
    const stored = use();

    it(`${KEYS} keys of conflicting types`, async () => {
      const body = new BulkBody();
      const listsNumbers = stored.store.kind === 'elasticsearch';
      const writer = new DocumentWriter(body, { dataStream: stored.stream, listsNumbers });
      writer.startBatch({ ...batch, id: Buffer.alloc(16, 9), seq: 0 }, batch.receivedMs);
      const keys = (document: number) => Array.from({ length: KEYS_OF_DOCUMENT }, (_, i) => keyOf(document, i));
      for (let document = 0; document < DOCUMENTS; document++) {
        const record = Object.fromEntries(keys(document).map((key) => [`key.${key}`, valueOf(document, key)]));
        const entry = encode([1_600_000_000, { log: String(document), ...record }]);
        assert.equal(writer.write(entry, 0, entry.length, document), 'ok');
      }
      for (const { status, errorReason } of await stored.store.bulk(body.request()))
        assert.equal(status, 201, errorReason ?? '');
      await stored.opened.refresh();
      let found = 0;
      for (let key = 3; key < KEYS; key += KEYS / CHECKED) {
        const parsed = parseQuery(`key.${key}>=20`, { nowMs: 0 });
        assert('where' in parsed);
        const expected = Array.from({ length: DOCUMENTS }, (_, document) => document).filter(
          (document) => keys(document).includes(key) && isAtLeast(valueOf(document, key), 20),
        );
        const documents = await stored.search({ where: parsed.where, limit: DOCUMENTS });
        const numbers = documents.map(({ source }) => Number(source['message']));
        assert.deepEqual(
          numbers.toSorted((a, b) => a - b),
          expected,
          `key.${key}`,
        );
        found += expected.length;
      }
      assert(found > CHECKED, String(found));
    });
  });
}
