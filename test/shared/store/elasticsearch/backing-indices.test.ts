import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackingIndices } from '#shared/store/elasticsearch/backing-indices.ts';
import type { Connection } from '#shared/store/elasticsearch/connection.ts';

/** Every document of an answer to `_mget` has this error. */
function idsIn(type: string): Promise<ReadonlySet<string>> {
  const text = JSON.stringify({ docs: [{ error: { type } }, { error: { type } }] });
  const connection = { request: () => Promise.resolve({ status: 200, text, headers: {} }) };
  return new BackingIndices(connection as unknown as Connection).idsIn('.ds-a-000001', ['1', '2']);
}

test('an index that cannot be read is told apart from a store that has too much to do', async () => {
  await assert.rejects(idsIn('no_shard_available_action_exception'), { code: 'store_index_unreadable' });
  await assert.rejects(idsIn('es_rejected_execution_exception'), { code: 'store_overloaded' });
  await assert.rejects(idsIn('index_closed_exception'), { code: 'store_index_closed' });
  assert.deepEqual(await idsIn('index_not_found_exception'), new Set());
});
