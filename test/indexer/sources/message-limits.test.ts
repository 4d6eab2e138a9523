// What a message of others may take of memory and of one turn, whoever wrote it.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { unpack } from '#indexer/unpack/unpack.ts';
import type { SourceRule } from '#shared/config/settings/sources.ts';
import { ForeignHeaders } from '#shared/queue/foreign-headers.ts';

const json = { topic: 'app-logs', format: 'json' } as const;
const ndjson = { topic: 'app-logs', format: 'ndjson' } as const;

async function opened(rule: SourceRule, value: string, header = '') {
  const encoded = new ForeignHeaders();
  encoded.header('a', Buffer.from(header));
  const source = { topic: 'app-logs', topicId: 'topic-id', partition: 3, rule };
  const place = { partition: 3, offset: 7, timestampMs: 1_767_323_045_678 };
  const record = { ...place, headers: encoded.encoded, value: Buffer.from(value), source };
  const unpacked = await unpack(record, { bytesMax: 2 ** 26 });
  assert(unpacked.kind === 'unpacked');
  return unpacked;
}

suite('no message takes more memory than some of it is worth', () => {
  const lines = '{}\n'.repeat(10_000);
  const many = `[${'{},'.repeat(9_999)}{}]`;
  const long = 'h'.repeat(16_384);
  for (const [rule, value] of [
    [ndjson, lines],
    [json, many],
  ] as const) {
    test(`${rule.format}: long headers of many events`, async () => {
      const keep = ['headers'] as const;
      const { ends, bytes } = await opened({ ...rule, keep: [...keep] }, value, long);
      assert.equal(ends.length, 1);
      assert(bytes.length < 2 ** 20);
      assert.equal((await opened(rule, value, long)).ends.length, 10_000);
    });
  }
  test('a large value is its text', async () => {
    const value = `{"a":"${'b'.repeat(4 * 1024 * 1024)}"}`;
    for (const format of ['json', 'otlp_json', 'otlp_proto', 'ndjson'] as const) {
      const { batches } = await opened({ topic: 'app-logs', format }, value);
      assert.deepEqual([batches.length, batches[0]?.count, batches[0]?.input], [1, 1, 'kafka_text']);
    }
  });
  test('a long line is a text among others that are not', async () => {
    const value = `{"a":1}\n{"a":"${'b'.repeat(4 * 1024 * 1024)}"}\n{"a":2}`;
    const { batches } = await opened(ndjson, value);
    assert.deepEqual(
      batches.map(({ input }) => input),
      ['kafka', 'kafka_text', 'kafka'],
    );
  });
});
