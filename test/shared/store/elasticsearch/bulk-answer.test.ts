// Answers of `_bulk` as captured from Elasticsearch 9.5.3 (some made shorter), and what is left of them by accidents.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ErrorCode } from '#shared/errors.ts';
import { bulkOutcomes } from '#shared/store/elasticsearch/bulk-answer.ts';
import type { BulkOutcome } from '#shared/store/store.ts';

const created = '{"create":{"status":201}}';
const conflict =
  '{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[1]: version conflict, document already exists (current version [1])"}}}';
const unparsable =
  '{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"[1:15] failed to parse field [@timestamp]","caused_by":{"type":"illegal_argument_exception","reason":"failed to parse date field [zz]","caused_by":{"type":"date_time_parse_exception","reason":"Failed to parse with all enclosed parsers"}}}}}';
const full = '{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"rejected"}}}';

const answer = (errors: boolean, items: readonly string[]) => `{"errors":${errors},"items":[${items.join()}]}`;

it('tells the outcome of each item, in order', () => {
  const check = (items: readonly string[], expected: BulkOutcome[]) =>
    assert.deepEqual(
      bulkOutcomes(
        200,
        answer(
          items.some((item) => item.includes('error')),
          items,
        ),
        items.length,
      ),
      expected,
    );
  check([created], [{ status: 201 }]);
  check(
    Array<string>(1000).fill(created),
    Array.from({ length: 1000 }, () => ({ status: 201 })),
  );
  check(['{"create":{"status":200}}', created], [{ status: 200 }, { status: 201 }]);
  check(
    [created, conflict, created],
    [
      { status: 201 },
      {
        status: 409,
        errorType: 'version_conflict_engine_exception',
        errorReason: '[1]: version conflict, document already exists (current version [1])',
      },
      { status: 201 },
    ],
  );
  check(
    [unparsable],
    [
      {
        status: 400,
        errorType: 'document_parsing_exception',
        errorReason: '[1:15] failed to parse field [@timestamp]: Failed to parse with all enclosed parsers',
      },
    ],
  );
  check([full], [{ status: 429, errorType: 'es_rejected_execution_exception', errorReason: 'rejected' }]);
  check(
    ['{"create":{"status":201,"failure_store":"used"}}', '{"create":{"status":201,"failure_store":"not_enabled"}}'],
    [{ status: 201, failureStore: true }, { status: 201 }],
  );
});

it('takes a page that is not of Elasticsearch for no answer', () => {
  const page = '<html><body>400 The plain HTTP request was sent to HTTPS port</body></html>';
  assert.throws(() => bulkOutcomes(200, page, 1), { code: 'store_timeout' });
  for (const text of [page, '', '[]', 'null'])
    assert.throws(() => bulkOutcomes(400, text, 1), { code: 'store_unavailable' }, text);
  assert.throws(() => bulkOutcomes(400, '{"error":"no"}', 1), { code: 'store_body_refused', message: /\(no\)$/ });
  assert.throws(() => bulkOutcomes(413, page, 1), { code: 'store_body_too_large' });
});

it('names the backing index of each item', () => {
  const item = (index: string, status = 201): string => `{"create":{"_index":"${index}","status":${status}}}`;
  const check = (items: readonly string[], expected: readonly BulkOutcome[]): void =>
    assert.deepEqual(bulkOutcomes(200, answer(false, items), items.length), expected);
  const one = { status: 201, backing: '.ds-logs-a-2026.01.02-000001' };
  const two = { status: 201, backing: '.ds-logs-b-2026.01.02-000012' };
  check([item(one.backing)], [one]);
  check([item(one.backing), item(one.backing), item(one.backing)], [one, one, one]);
  check([item(one.backing), item(two.backing), item(one.backing)], [one, two, one]);
  check([item(one.backing), item(two.backing, 200)], [one, { ...two, status: 200 }]);
  check([item(one.backing), created], [one, { status: 201 }]);
  const odd = 'a"}},{"create":{"_index":"b';
  check([`{"create":{"_index":${JSON.stringify(odd)},"status":201}}`], [{ status: 201, backing: odd }]);
  const shared = bulkOutcomes(200, answer(false, [item(one.backing), item(one.backing)]), 2);
  assert.equal(shared[0], shared[1], 'one object for all equals');
});

it('does not guess where an answer is not whole', () => {
  const check = (text: string, count: number, code: ErrorCode = 'store_timeout') =>
    assert.throws(() => bulkOutcomes(200, text, count), { code });
  const named = answer(
    false,
    [created, created].map((item) => item.replace('{"status', '{"_index":"i","status')),
  );
  for (let length = 0; length < named.length; length++) check(named.slice(0, length), 2);
  check(named, 1);
  check(named, 3);
  const whole = answer(false, [created, created]);
  for (let length = 0; length < whole.length; length++) check(whole.slice(0, length), 2);
  check(whole, 1);
  check(whole, 3);
  check(whole.replace('201}', '201x'), 2);
  check('<html>', 1);
  check('null', 1);
  check('{"errors":false}', 1);
  check('{"errors":false,"items":[{"create":{}}]}', 1);
  check('{"errors":false,"items":[[]]}', 1);
});

it('says why a whole request failed', () => {
  const check = (status: number, code: ErrorCode, text = '', message?: RegExp) =>
    assert.throws(() => bulkOutcomes(status, text, 1), { code, ...(message === undefined ? {} : { message }) });
  check(400, 'store_body_refused', '{"error":{"type":"illegal_argument_exception","reason":"Malformed"}}', /Malformed/);
  check(401, 'store_unauthorized');
  check(403, 'store_unauthorized', '{"error":"not allowed"}', /not allowed/);
  check(404, 'store_refused');
  check(405, 'store_refused');
  check(408, 'store_timeout');
  check(413, 'store_body_too_large', '<html>too large</html>', /413/);
  check(429, 'store_overloaded');
  check(500, 'store_unavailable');
  check(502, 'store_timeout');
  check(503, 'store_unavailable');
  check(504, 'store_timeout');
  check(302, 'store_refused');
});
