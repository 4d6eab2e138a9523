// What every queue does with what is appended: it keeps it as it is, in its order, within its limits.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { recordBytes } from '#shared/queue/headers.ts';
import type { QueueRecord } from '#shared/record/record.ts';
import { allBytes, hex, numbered, numbers, plainHeaders, queues, readAll, readTexts, record } from './queues.ts';

for (const { name, options, test } of queues) {
  describe(name, options, () => {
    test('is ready when it is open, and tells its limits', async (_place, queue) => {
      await queue.opened();
      assert.equal(queue.unreadyReason, null);
      assert(queue.partitions >= 1);
      assert(queue.appendBytesMax > 500_000);
    });

    test('keeps headers and values byte for byte', async (_place, queue) => {
      const sent: QueueRecord[] = [
        { encoding: 'identity', batches: new Uint8Array(), value: new Uint8Array() },
        { encoding: 'gzip', batches: allBytes(), value: allBytes() },
        { encoding: 'zstd', batches: Buffer.from('é\0\n'), value: Buffer.alloc(300_000, 0xc1) },
      ];
      await queue.append(0, sent);
      const got = await readAll(queue, { topic: 'logs' });
      assert.equal(got.length, sent.length);
      for (const [i, { encoding, batches, value }] of sent.entries()) {
        assert.deepEqual(plainHeaders(got[i]), { v: hex('2'), encoding: hex(encoding), batches: hex(batches) });
        assert.equal(hex(got[i]?.value ?? ''), hex(value));
      }
    });

    test('hands on headers that it does not know', async (place, queue) => {
      await place.appendForeign(
        { v: Buffer.from('9'), 'x-ünknown': allBytes(), empty: new Uint8Array() },
        Buffer.from('foreign'),
      );
      const [got] = await readAll(queue, { topic: 'logs' });
      assert.deepEqual(plainHeaders(got), { v: hex('9'), 'x-ünknown': hex(allBytes()), empty: '' });
      assert.equal(Buffer.from(got?.value ?? []).toString(), 'foreign');
    });

    test('takes an append that is as large as it says, and refuses a larger one', async (_place, queue) => {
      const overhead = recordBytes(record(''));
      const largest = { ...record(''), value: Buffer.alloc(queue.appendBytesMax - overhead, 7) };
      await queue.append(0, [largest]);
      const tooLarge = { ...largest, value: Buffer.alloc(queue.appendBytesMax - overhead + 1) };
      await assert.rejects(queue.append(0, [tooLarge]), { code: 'queue_refused' });
      const got = await readAll(queue, { topic: 'logs' });
      assert.deepEqual(
        got.map(({ value }) => value.length),
        [largest.value.length],
      );
    });

    test('has after a reopening what was appended before', async (place, queue) => {
      await queue.append(0, [record('before')]);
      await queue[Symbol.asyncDispose]();
      await assert.rejects(queue.append(0, [record('closed')]), { code: 'shutting_down' });
      const again = await place.open();
      await again.append(0, [record('after')]);
      assert.deepEqual(await readTexts(again), ['before', 'after']);
    });

    test('serves many appends at once, each partition in its order', async (_place, queue) => {
      const texts = numbered(300);
      await Promise.all(
        numbers(queue.partitions).map(async (partition) => {
          for (const text of texts) await queue.append(partition, [record(`${partition}:${text}`)]);
        }),
      );
      const got = await readAll(queue, { topic: 'logs' });
      assert.equal(got.length, texts.length * queue.partitions);
      for (const partition of numbers(queue.partitions)) {
        const mine = got
          .filter((each) => each.partition === partition)
          .map(({ value }) => Buffer.from(value).toString());
        assert.deepEqual(
          mine,
          texts.map((text) => `${partition}:${text}`),
        );
      }
    });
  });
}
