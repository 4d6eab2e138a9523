// What every queue does for whoever reads without a group: between two times, and until it is told to stop.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { consume, numbered, pause, queues, readAll, readTexts, record, startOf } from './queues.ts';
import { RecordingHandler } from './recording-handler.ts';

for (const { name, options, test } of queues) {
  describe(name, options, () => {
    test('reads between two times, without disturbing who consumes', async (_place, queue, group) => {
      assert.deepEqual(await readTexts(queue), []);
      for (const text of ['a', 'b', 'c', 'd']) {
        await queue.append(0, [record(text)]);
        await pause(5);
      }
      const all = await readAll(queue, { topic: 'logs' });
      const times = all.map(({ timestampMs }) => timestampMs);
      assert.deepEqual(await readTexts(queue, { fromMs: times[1] ?? 0, toMs: times[3] ?? 0 }), ['b', 'c']);
      assert.deepEqual(await readTexts(queue, { fromMs: (times[3] ?? 0) + 60_000 }), []);
      const handler = new RecordingHandler();
      await using _consumer = await consume(queue, handler, group);
      await handler.until(() => handler.texts().length === 4);
      assert.equal(startOf(handler, 0)?.next, 0);
    });

    test('stops to read when it is told to', async (_place, queue) => {
      await queue.append(0, numbered(10).map(record));
      const stopping = new AbortController();
      const read = queue.read({ topic: 'logs', signal: stopping.signal });
      stopping.abort();
      await assert.rejects(async () => {
        for await (const _record of read);
      });
      for await (const first of queue.read({ topic: 'logs' })) {
        assert.equal(first.offset, 0);
        break;
      }
    });
  });
}
