// What becomes of a search for OpenSearch: the sort loses its format, hits are counted, patterns list both cases of
// letters that Lucene 9 does not fold, and nothing else changes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attributePattern } from '#shared/store/elasticsearch/attribute-pattern.ts';
import { searchBody } from '#shared/store/elasticsearch/query.ts';
import { parseQueryText } from '#shared/store/query-text.ts';
import { openSearchBody, openSearchQuery } from '#shared/store/opensearch/query.ts';

test('a search keeps all but the format of its sort', () => {
  const query = { since: '2026-01-01', name: 'web-*', text: 'refused', limit: 5, order: 'newest' } as const;
  const ours = JSON.parse(searchBody(query, { size: 5, cheapOnly: false })) as { sort: object[] };
  const theirs = JSON.parse(openSearchBody(JSON.stringify(ours))) as { sort: object[]; track_total_hits: unknown };
  assert.match(JSON.stringify(ours.sort), /"format"/);
  assert.doesNotMatch(JSON.stringify(theirs.sort), /"format"/);
  assert.equal(theirs.track_total_hits, true, 'with less it loses hits of equal times');
  assert.deepEqual({ ...theirs, sort: null }, { ...ours, sort: null, track_total_hits: true });
  assert.deepEqual(theirs.sort, [
    { '@timestamp': { order: 'desc', unmapped_type: 'date_nanos' } },
    { 'event.sequence': { order: 'desc', missing: 0, unmapped_type: 'long' } },
  ]);
});

test('a sort by name passes', () => {
  const body = '{"sort":["_doc"],"size":1}';
  assert.equal(openSearchBody(body), '{"sort":["_doc"],"size":1,"track_total_hits":true}');
});

function check(value: string, expected: string, ignoresCase = true): void {
  const clause = (pattern: string) => ({
    bool: { should: [{ regexp: { attributes: { value: pattern, case_insensitive: ignoresCase } } }] },
  });
  assert.deepEqual(openSearchQuery(clause(value)), clause(expected), value);
}

test('both cases of letters beyond ASCII', () => {
  check('abc', 'abc');
  check('überlänge', '[üÜ]berl[äÄ]nge');
  check('überlänge', 'überlänge', false);
  check('straße', 'straße');
  check('日本', '日本');
  check(String.raw`[ä-ü\]ö]é\ä`, String.raw`[ä-ü\]ö][éÉ]\ä`);
  check('ё'.repeat(900), 'ё'.repeat(900));
  const [term] = parseQueryText('"ärger über"');
  assert(term);
  const pattern = attributePattern(term) ?? '';
  const twice = pattern.replace('ärger', '[äÄ]rger').replace('über', '[üÜ]ber');
  check(pattern, twice);
  assert.notEqual(pattern, twice);
});
