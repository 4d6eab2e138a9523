// Bodies of `_bulk` to entries: which items are taken together, which are refused, and what becomes of documents.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bulk, type BulkOptions, bulkItems } from '#forwarder/dialects/elasticsearch/bulk.ts';
import {
  type BulkItem,
  type BulkGroup,
  itemsOf,
  groupsOf as tableGroupsOf,
  tableBytes,
} from '#forwarder/dialects/elasticsearch/bulk-table.ts';
import { countEntries } from '#shared/msgpack/extents.ts';
import { OPTIONS, decoded, now } from '../decode/http/http-entries.ts';

const bulkOptions: BulkOptions = { ...OPTIONS, index: null };
const received = '0.000000000';

interface Taken {
  readonly items: BulkItem[];
  readonly groups: BulkGroup[];
}

function taken(body: string, options: Partial<BulkOptions> = {}): Taken {
  const bulk = bulkItems(Buffer.from(body), { ...bulkOptions, ...options });
  assert(bulk.kind === 'items', JSON.stringify(bulk));
  return { items: [...itemsOf(bulk.table)], groups: [...tableGroupsOf(bulk.table)] };
}

function groupsOf(bulk: Taken): unknown[] {
  return bulk.groups.map(({ index, id, entries, count }) => [
    index,
    id,
    decoded({ kind: 'entries', bytes: entries, count }),
  ]);
}

test('items without an id go together by their index, each with one stands alone', () => {
  const body = [
    '{"create":{"_index":"a"}}',
    '{"message":"1"}',
    '{"index":{"_index":"b","_id":"x"}}',
    '{"message":"2"}',
    '{"create":{}}',
    '{"message":"3"}',
    '',
    '{"create":{"_id":"y"}}\r',
    '{"message":"4"}\r',
    '{"index":{"_index":"a"}}',
    '{"message":"5"}',
  ].join('\n');
  const bulk = taken(body, { index: 'u' });
  // Of an item with an id the time is that of receipt, so that it is the same when it comes again.
  assert.deepEqual(groupsOf(bulk), [
    [
      'a',
      null,
      [
        [now, { message: '1' }],
        [now, { message: '5' }],
      ],
    ],
    ['b', 'x', [[received, { message: '2' }]]],
    ['u', null, [[now, { message: '3' }]]],
    ['u', 'y', [[received, { message: '4' }]]],
  ]);
  assert.deepEqual(
    bulk.items.map(({ operation, index, id, outcome }) => [operation, index, id, outcome]),
    [
      ['create', 'a', null, 0],
      ['index', 'b', 'x', 1],
      ['create', 'u', null, 2],
      ['create', 'u', 'y', 3],
      ['index', 'a', null, 0],
    ],
  );
  assert.deepEqual(taken('{"index":{"_index":"a","_id":7}}\n{}\n').items[0]?.id, '7');
  assert.deepEqual(taken('{"index":{"_index":"a","_id":""}}\n{}\n').items[0]?.id, null);
});

test('an item that cannot be taken is refused alone', () => {
  const refused = (item: string, reason: RegExp) => {
    const bulk = taken(`{"create":{}}\n{"a":1}\n${item}\n{"create":{}}\n{"a":2}\n`, { index: 'i' });
    assert.equal(bulk.items.length, 3);
    const outcome = bulk.items[1]?.outcome;
    assert(typeof outcome === 'object');
    assert.equal(outcome.status, 400);
    assert.match(outcome.reason, reason);
    assert.deepEqual(groupsOf(bulk), [
      [
        'i',
        null,
        [
          [now, { a: 1 }],
          [now, { a: 2 }],
        ],
      ],
    ]);
  };
  refused('{"delete":{"_id":"x"}}', /delete is not supported/);
  refused('{"update":{"_id":"x"}}\n{"doc":{}}', /update is not supported/);
  refused('{"index":{}}\n{"a":}', /a value is missing/);
  refused('{"index":{}}\n{"a":1} 2', /more after it/);
  refused('{"index":{}}\n[]', /has to be an object/);
  refused('{"index":{}}\n', /has to be an object/);
});

test('a broken action line refuses the request', () => {
  const malformed = (body: string, line: number, why: RegExp) => {
    const bulk = bulkItems(Buffer.from(body), bulkOptions);
    assert(bulk.kind === 'malformed', JSON.stringify(bulk));
    assert.equal(bulk.line, line);
    assert.match(bulk.why, why);
  };
  malformed('hello', 1, /action line/);
  malformed('{"create":{"_index":"a"}}\n{}\n{"create"', 3, /action line/);
  malformed('{"create":{"_index":"a"}}', 1, /document is missing/);
  malformed('{"create":{"_index":"a"}}\n', 1, /document is missing/);
  malformed('{"create":{}}\n{}\n', 1, /index is missing/);
  malformed('{"create":{"_index":""}}\n{}\n', 1, /index is missing/);
  malformed('{"create":{"_index":"\\ud800"}}\n{}\n', 1, /no name of an index/);
  malformed(`{"create":{"_index":"${'x'.repeat(256)}"}}\n{}\n`, 1, /no name of an index/);
  malformed('{"create":{"_index":"a","_id":[]}}\n{}\n', 1, /_id has to be a string/);
  malformed(`{"create":{"_index":"a","_id":"${'x'.repeat(513)}"}}\n{}\n`, 1, /longer than 512/);
  malformed('{"create":null}\n{}\n', 1, /has to be an object/);
  malformed('{"upsert":{}}\n{}\n', 1, /one of create/);
  malformed('{"create":{},"index":{}}\n{}\n', 1, /one of create/);
  malformed(`{"create":{"_index":"a","x":"${'x'.repeat(20_000)}"}}\n{}\n`, 1, /action line/);
});

test('too much', () => {
  const many = '{"create":{}}\n{}\n'.repeat(100_002);
  assert.equal(bulkItems(Buffer.from(many), { ...bulkOptions, index: 'a', bytesMax: 1e9 }).kind, 'too_large');
  assert.equal(bulkItems(Buffer.from(many), { ...bulkOptions, index: 'a' }).kind, 'too_large');
  const named = '{"create":{"_id":"x"}}\n{"message":"0123456789"}\n';
  assert.equal(bulkItems(Buffer.from(named), { ...bulkOptions, index: 'a', bytesMax: 16 }).kind, 'too_large');
  const ample = { ...bulkOptions, index: 'a', bytesMax: 1e9 };
  assert.equal(bulkItems(Buffer.from(named.repeat(50_000)), ample).kind, 'items');
  const more = bulkItems(Buffer.from(named.repeat(50_001)), ample);
  assert(more.kind === 'too_large');
  assert.equal(more.why, 'they are more than 50000 items with an id');
});

test('items that are refused are bounded as those that are taken', () => {
  for (const item of ['{"delete":{}}\n', '{"update":{}}\n{}\n', '{"create":{}}\n\n', '{"create":{}}\n{"a":}\n']) {
    const options = { ...bulkOptions, index: 'a', bytesMax: 1e9 };
    const refused = bulkItems(Buffer.from(item.repeat(100_000)), options);
    assert(refused.kind === 'items', item);
    assert.equal(refused.table.refusals.length, 1, 'they share one refusal');
    assert(tableBytes(refused.table) < 2_000_000, 'an item that is refused costs a few bytes');
    assert.equal(bulkItems(Buffer.from(item.repeat(100_001)), options).kind, 'too_large', item);
  }
});

test('indexes of one request are bounded', () => {
  const items = (count: number, id: string) =>
    Array.from({ length: count }, (_, n) => `{"create":{"_index":"i${n}"${id}}}\n{}\n`).join('');
  assert.equal(taken(items(1000, '')).groups.length, 1000);
  const more = bulkItems(Buffer.from(items(1001, '')), bulkOptions);
  assert.deepEqual(more, { kind: 'too_large', why: 'they are of more than 1000 indexes' });
  assert.equal(taken(items(2000, ',"_id":"x"')).groups.length, 2000);
});

function checkDocument(document: object, expected: unknown): void {
  const bulk = taken(`{"create":{"_index":"a"}}\n${JSON.stringify(document)}\n`);
  assert.deepEqual(groupsOf(bulk), [['a', null, [expected]]]);
}

test('documents as Beats write them', () => {
  checkDocument(
    {
      '@timestamp': '2023-11-14T22:13:20.123Z',
      message: 'hello',
      log: { level: 'info', file: { path: '/x' } },
      host: { name: 'n', os: { type: 'linux' } },
      container: { id: 'c', name: 'web', image: { name: 'i' } },
      service: { name: 's' },
      agent: { type: 'filebeat' },
      data_stream: { type: 'logs', dataset: 'd', namespace: 'n' },
    },
    [
      '1700000000.123000000',
      {
        message: 'hello',
        'log.level': 'info',
        'log.file': { path: '/x' },
        'host.name': 'n',
        'host.os': { type: 'linux' },
        'container.id': 'c',
        'container.name': 'web',
        'container.image.name': 'i',
        'service.name': 's',
        agent: { type: 'filebeat' },
        data_stream: { type: 'logs', dataset: 'd', namespace: 'n' },
      },
    ],
  );
});

test('names of Kubernetes as Beats write them', () => {
  checkDocument(
    {
      kubernetes: {
        namespace: 'default',
        pod: { name: 'p', uid: 'u', ip: '10.0.0.1', x: 1 },
        container: { name: 'c' },
        node: { name: 'n' },
        labels: { app: 'a' },
        pod_name: 'kept',
      },
    },
    [
      now,
      {
        kubernetes: {
          namespace_name: 'default',
          pod_name: 'kept',
          pod_id: 'u',
          pod_ip: '10.0.0.1',
          'pod.x': 1,
          container_name: 'c',
          host: 'n',
          labels: { app: 'a' },
        },
      },
    ],
  );
});

test('fields that are none of ECS stay as they are; times that are no text', () => {
  checkDocument({ log: 'text', host: 'n', container: [1] }, [now, { log: 'text', host: 'n', container: [1] }]);
  checkDocument({ '@timestamp': 1_700_000_000_123 }, ['1700000000.123000000', {}]);
  checkDocument({ '@timestamp': 'noon' }, [now, { '@timestamp': 'noon' }]);
  checkDocument({ '@timestamp': -1 }, [now, { '@timestamp': -1 }]);
  checkDocument({ host: {}, kubernetes: {} }, [now, {}]);
});

test('bytes cut anywhere and bytes of any kind never throw, and what is taken is entries', () => {
  const sound = (bulk: Bulk) => {
    if (bulk.kind !== 'items') return;
    for (const { entries, count } of tableGroupsOf(bulk.table))
      assert.equal(countEntries(entries, 0, entries.length), count);
  };
  const body = Buffer.from(
    '{"create":{"_id":"x"}}\n{"host":{"a":{"b":1}}}\n{"index":{}}\n{"@timestamp":"2023-11-14"}\n',
  );
  for (let end = 0; end < body.length; end += 1) {
    sound(bulkItems(Buffer.from(body.subarray(0, end)), { ...bulkOptions, index: 'i' }));
  }
  fc.assert(
    fc.property(fc.json(), fc.json(), fc.json(), (action, document, value) => {
      const at = { ...bulkOptions, index: 'i' };
      sound(bulkItems(Buffer.from(`${action}\n${document}`), at));
      sound(bulkItems(Buffer.from(`{"create":${action}}\n{}`), at));
      sound(bulkItems(Buffer.from(`{"create":{}}\n{"kubernetes":${value},"host":${value},"@timestamp":${value}}`), at));
    }),
  );
  fc.assert(fc.property(fc.uint8Array(), (bytes) => sound(bulkItems(Buffer.from(bytes), bulkOptions))));
});
