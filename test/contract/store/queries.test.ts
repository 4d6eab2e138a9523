// The same query finds the same documents in every store, in the same order, and the same is made of them behind its
// bars: those and that which the plain reading of the query says (reference/), which shares no code with the stores.
//
// Where a store differs, the reason is on the closed list of docs/search.md, with a test of its own in
// differences.test.ts, and of a hundred queries at most one does.
//
// SLUICE_TEST_QUERIES: how many are tried. SLUICE_TEST_SEED: others than the usual ones.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { parseExactJson } from '#shared/store/exact-json.ts';
import type { Document } from '#shared/store/query/document-values.ts';
import { matches } from '#shared/store/query/matches.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import type { Stage } from '#shared/store/query/stages.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import type { Where } from '#shared/store/where.ts';
import { batch } from '#test/indexer/parse/documents.ts';
import { Page } from '#test/sluice/command-runner.ts';
import { Output } from '../../../services/sluice/output/output.ts';
import { printResult } from '../../../services/sluice/search/result.ts';
import { queries, records } from './generated-queries.ts';
import { stages } from './generated-stages.ts';
import { type PlainDocument, plainDocument } from './reference/plain-document.ts';
import { plainRows } from './reference/plain-rows.ts';
import { plainlyMeans } from './reference/plain-search.ts';
import { BY_READ_API, day, readStores, type StoreInUse } from './stores.ts';

const RUNS = Number(process.env['SLUICE_TEST_QUERIES'] ?? 300);
const DOCUMENTS = 150;
/** Of the queries, how many may differ for what is on the list. */
const LISTED_SHARE = 0.01;
const seed = Number(process.env['SLUICE_TEST_SEED'] ?? 16);
const { since, until, at } = day(21);
const noon = Math.trunc(Date.parse(at(0)) / 1000);
/** Of the records one after another: most lie close together, in nanoseconds; some are early, late or far away. */
const HOURS = [0, 0, 0, 0, 1, 0, -5, 0, 0, 7, 0];
/** Of the bulk requests: blocks of all sizes, with times that overlap. */
const REQUESTS = [1, 40, 3, 1, 25, 60, 2, 18];

const isEmbedded = (name: string): boolean => name.startsWith('embedded');

for (const { name, options, use } of readStores) {
  describe(name, options, () => {
    const stored = use();

    it(`agrees with the plain reading of a query, seed ${seed} (SLUICE_TEST_SEED)`, async (test) => {
      const documents = await write(stored);
      const counts = { wrong: 0, none: 0, some: 0, all: 0, refused: 0, rows: 0, listed: 0 };
      const check = async (text: string, limit: number): Promise<void> => {
        const parsed = parseQuery(text, { nowMs: Date.parse(until) });
        if ('mistake' in parsed) {
          counts.wrong += 1;
          return;
        }
        const meant = documents.filter(({ plain }) => plainlyMeans(parsed.where, plain));
        assertMatches(parsed.where, documents);
        const newest = meant
          .map(({ plain }) => plain)
          .toSorted(byTime)
          .toReversed();
        counts[meant.length === 0 ? 'none' : meant.length === DOCUMENTS ? 'all' : 'some'] += 1;
        const query = { since, until, where: parsed.where };
        const found = await stored.search({ ...query, limit: 1000, order: 'newest' });
        const ids = found.map(({ id }) => id);
        if (!isEmbedded(name) && isListed(parsed.where, differing(ids, newest, documents))) {
          counts.listed += 1;
          return;
        }
        assert.deepEqual(ids, idsOf(newest), 'newest first');
        const oldest = await stored.search({ ...query, limit, order: 'oldest' });
        assert.deepEqual(
          oldest.map(({ id }) => id),
          idsOf(newest.toReversed().slice(0, limit)),
          `the oldest ${limit}`,
        );
        if (parsed.stages.length === 0) return;
        const expected = plainRows(newest, parsed.stages);
        assert.deepEqual(await rowsOf(stored, query, parsed.stages), expected && JSON.parse(JSON.stringify(expected)));
        counts[expected === null ? 'refused' : 'rows'] += 1;
      };
      const text = fc.tuple(queries, fc.oneof(fc.constant(''), stages)).map(([query, behind]) => `${query}${behind}`);
      // What it is made of is tried above.
      const numRuns = name.endsWith(BY_READ_API) ? RUNS / 5 : RUNS;
      await fc.assert(fc.asyncProperty(text, fc.integer({ min: 1, max: 60 }), check), { seed, numRuns });
      test.diagnostic(`of ${numRuns} queries: ${JSON.stringify(counts)}`);
      assert(counts.some > numRuns / 4 && counts.rows > numRuns / 4, JSON.stringify(counts));
      assert(counts.listed <= numRuns * LISTED_SHARE, JSON.stringify(counts));
    });
  });
}

interface Written {
  readonly plain: PlainDocument;
  readonly document: Document;
}

/** Records, as the indexer makes documents of them, in several requests. */
async function write(stored: StoreInUse): Promise<Written[]> {
  const isElasticsearch = stored.store.kind === 'elasticsearch';
  const given = fc.sample(records, { seed, numRuns: DOCUMENTS });
  const documents: Written[] = [];
  const one = { ...batch, id: Buffer.alloc(16, 7), seq: 0 };
  for (const size of REQUESTS) {
    const body = new BulkBody();
    const writer = new DocumentWriter(body, { dataStream: stored.stream, listsNumbers: isElasticsearch });
    writer.startBatch(one, batch.receivedMs);
    const first = documents.length;
    for (const [i, record] of given.slice(first, first + size).entries()) {
      const entry = Buffer.concat([Buffer.from([0x92]), eventTime(first + i), encode(record, { useBigInt64: true })]);
      assert.equal(writer.write(entry, 0, entry.length, first + i), 'ok');
    }
    const request = body.request();
    for (const { id, docStart, docEnd } of request.items) {
      const json = Buffer.from(request.body.subarray(docStart, docEnd)).toString();
      documents.push({ plain: plainDocument(id, json), document: parseExactJson(json) as Document });
    }
    for (const { status, errorReason } of await stored.store.bulk(request))
      assert.equal(status, 201, errorReason ?? '');
  }
  assert.equal(documents.length, DOCUMENTS);
  await stored.opened.refresh();
  return documents;
}

/** So many nanoseconds after an hour of the day, as msgpack. */
function eventTime(i: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt16BE(0xd700);
  bytes.writeUInt32BE(noon + 3600 * (HOURS[i % HOURS.length] ?? 0), 2);
  bytes.writeUInt32BE(i % 100, 6);
  return bytes;
}

function byTime(a: PlainDocument, b: PlainDocument): number {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1;
  return a.sequence < b.sequence ? -1 : 1;
}

const idsOf = (documents: readonly PlainDocument[]): string[] => documents.map(({ id }) => id);

/** The reading that the embedded store has of a document is the same. */
function assertMatches(where: Where, documents: readonly Written[]): void {
  for (const { plain, document } of documents)
    assert.equal(matches(where, document), plainlyMeans(where, plain), `matches, of ${JSON.stringify(document)}`);
}

/** What a command prints of it, read again; null where it refuses a column. */
async function rowsOf(
  stored: StoreInUse,
  query: Omit<StoreQuery, 'limit' | 'order'>,
  behind: readonly Stage[],
): Promise<unknown[] | null> {
  const [stdout, stderr] = [new Page(), new Page()];
  try {
    await printResult({
      store: stored.store,
      query: { ...query, order: 'newest' },
      stages: behind,
      limit: Infinity,
      format: 'json',
      output: new Output({ stdout, stderr }),
      clock: systemClock,
      signal: new AbortController().signal,
    });
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'usage_wrong') return null;
    throw error;
  }
  assert.equal(stderr.text, '');
  return stdout.text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
}

/** Documents that are found and not meant, or meant and not found. */
function differing(ids: readonly string[], meant: readonly PlainDocument[], all: readonly Written[]): PlainDocument[] {
  const expected = new Set(idsOf(meant));
  const found = new Set(ids);
  return all.map(({ plain }) => plain).filter(({ id }) => expected.has(id) !== found.has(id));
}

/**
 * Whether the first entry of the list is the reason: Elasticsearch takes words of an attribute for neighbours where one
 * without ASCII stands between them.
 */
function isListed(where: Where, documents: readonly PlainDocument[]): boolean {
  return (
    documents.length > 0 &&
    hasPhrase(where) &&
    documents.every(({ leaves }) =>
      leaves.some(({ path, value }) => path.startsWith('attributes.') && /[^ -~]/.test(value)),
    )
  );
}

function hasPhrase(where: Where): boolean {
  if ('field' in where) return false;
  if (where.kind === 'words') return where.term.words.length > 1;
  if (where.kind === 'not') return hasPhrase(where.node);
  return where.kind !== 'all' && where.nodes.some(hasPhrase);
}
