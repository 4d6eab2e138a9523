// Which segments share a record: small ones of anybody; a large one has a record to itself, whoever waits before and
// behind it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FairQueue } from '#forwarder/gather/fair-queue.ts';
import type { RecordSegment } from '#forwarder/gather/record-segment.ts';
import { Settlement } from '#forwarder/gather/settlement.ts';

const RECORD_BYTES = 1000;
let segments = 0;

function segmentOf(text: string): RecordSegment {
  const [, tenant = '', size] = /^(\D+)(\d+)$/.exec(text) ?? [];
  const number = segments++;
  const batch = {
    id: Buffer.alloc(16, number),
    first: 0,
    count: 1,
    tag: 't',
    input: 'forward',
    tenant,
    receivedMs: 1,
    seq: number,
    sender: 's',
    version: 2,
    chain: null,
  } as const;
  return { batch, encoding: 'identity', bytes: Buffer.alloc(Number(size)), settlement: new Settlement().expect() };
}

/** `pushed`: tenant and bytes of each segment, in order. */
function check(what: string, pushed: readonly string[], expected: readonly string[]): void {
  test(what, () => {
    const queue = new FairQueue(RECORD_BYTES);
    for (const text of pushed) queue.push(segmentOf(text));
    const records: string[] = [];
    while (!queue.isEmpty) {
      const record = queue.take().map(({ batch, bytes }) => `${batch.tenant}${bytes.length}`);
      assert(record.length > 0, 'a record has something in it');
      records.push(record.join(' '));
    }
    assert.deepEqual(records, expected);
  });
}

check('small ones share', ['a100', 'a200', 'a300'], ['a100 a200 a300']);
check('a large one behind small ones', ['a100', 'a5000', 'a200'], ['a100', 'a5000', 'a200']);
check('one that just fills a record goes with others', ['a100', 'a1000', 'a200'], ['a100 a1000', 'a200']);
check('a byte more, and it goes alone', ['a100', 'a1001', 'a200'], ['a100', 'a1001', 'a200']);
check('large ones of several tenants', ['a5000', 'b10', 'b5000', 'c20'], ['a5000', 'b10 c20', 'b5000']);
check('a tenant’s small ones go before another’s large one', ['a10', 'b5000', 'c30'], ['a10 c30', 'b5000']);
