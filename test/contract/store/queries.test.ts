// The same query finds the same documents in every store: those that the plain reading of the query says.
//
// SLUICE_TEST_QUERIES: how many are tried.

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, it } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { parseExactJson } from '#shared/store/exact-json.ts';
import type { Document } from '#shared/store/query/document-values.ts';
import { matches } from '#shared/store/query/matches.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { batch } from '#test/indexer/parse/documents.ts';
import { queries, records } from './generated-queries.ts';
import { day, stores } from './stores.ts';

const RUNS = Number(process.env['SLUICE_TEST_QUERIES'] ?? 300);
const DOCUMENTS = 150;
const seed = Number(process.env['SLUICE_TEST_SEED'] ?? randomInt(2 ** 31));
const { since, until, at } = day(21);
const noon = BigInt(Math.trunc(Date.parse(at(0)) / 1000));

for (const { name, options, use } of stores) {
  describe(name, options, () => {
    const stored = use();

    it(`agrees with the plain reading of a query, seed ${seed} (SLUICE_TEST_SEED)`, async (test) => {
      const body = new BulkBody();
      const isListed = stored.store.kind === 'elasticsearch';
      const writer = new DocumentWriter(body, { dataStream: stored.stream, listsNumbers: isListed });
      writer.startBatch({ ...batch, id: Buffer.alloc(16, 7), seq: 0 }, batch.receivedMs);
      const given = fc.sample(records, { seed, numRuns: DOCUMENTS });
      for (const [i, record] of given.entries()) {
        const entry = Buffer.concat([Buffer.from([0x92]), eventTime(i % 100), encode(record, { useBigInt64: true })]);
        assert.equal(writer.write(entry, 0, entry.length, i), 'ok');
      }
      const request = body.request();
      const documents = new Map<string, Document>();
      for (const { id, docStart, docEnd } of request.items)
        documents.set(id, parseExactJson(Buffer.from(request.body.subarray(docStart, docEnd)).toString()) as Document);
      for (const { status, errorReason } of await stored.store.bulk(request))
        assert.equal(status, 201, errorReason ?? '');
      await stored.opened.refresh();

      const counts = { wrong: 0, none: 0, some: 0, all: 0 };
      await fc.assert(
        fc.asyncProperty(queries, async (text) => {
          const parsed = parseQuery(text, { nowMs: Date.parse(until) });
          if ('mistake' in parsed) {
            counts.wrong++;
            return;
          }
          const { where } = parsed;
          const expected = [...documents].filter(([, document]) => matches(where, document)).map(([id]) => id);
          const found = await stored.search({ since, until, where, limit: 1000 });
          assert.deepEqual(found.map(({ id }) => id).toSorted(), expected.toSorted());
          counts[expected.length === 0 ? 'none' : expected.length === DOCUMENTS ? 'all' : 'some']++;
        }),
        { seed, numRuns: RUNS },
      );
      test.diagnostic(`of ${RUNS} queries: ${JSON.stringify(counts)} documents found`);
      assert(counts.some > RUNS / 4, JSON.stringify(counts));
    });
  });
}

/** So many nanoseconds after the noon of the day, as msgpack. */
function eventTime(ns: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt16BE(0xd700);
  bytes.writeUInt32BE(Number(noon), 2);
  bytes.writeUInt32BE(ns, 6);
  return bytes;
}
