// What every queue does for whoever consumes: where it starts, what it hands over, and which commits count.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { consume, numbered, numbers, pause, queues, record, startOf } from './queues.ts';
import { RecordingHandler } from './recording-handler.ts';

for (const { name, options, test } of queues) {
  describe(name, options, () => {
    test('hands over records in the order of the appends, with offsets without gaps', async (_place, queue, group) => {
      const handler = new RecordingHandler();
      const texts = numbered(200);
      for (let i = 0; i < texts.length; i += 20) await queue.append(0, texts.slice(i, i + 20).map(record));
      await using _consumer = await consume(queue, handler, group);
      await handler.until(() => handler.texts().length === texts.length);
      assert.deepEqual(handler.texts(), texts);
      const offsets = handler.records.filter(({ partition }) => partition === 0).map(({ offset }) => offset);
      assert.deepEqual(offsets, numbers(texts.length));
      assert.equal(handler.batches.findLast(({ partition }) => partition === 0)?.endOffset, texts.length);
    });

    test('begins at the first record if nothing was committed, else at the commit', async (place, queue, group) => {
      await queue.append(0, numbered(10).map(record));
      const first = new RecordingHandler();
      const consumer = await consume(queue, first, group);
      await first.until(() => first.texts().length === 10);
      const { tries: _, ...began } = startOf(first, 0) ?? {};
      assert.deepEqual(began, { partition: 0, next: 0, end: 10 });
      await consumer.commit(first.assignment, new Map([[0, 4]]));
      await queue[Symbol.asyncDispose]();

      const again = await place.open();
      const second = new RecordingHandler();
      await using _consumer = await consume(again, second, group);
      await second.until(() => second.texts().length === 6);
      assert.deepEqual(second.texts(), numbered(10).slice(4));
      assert.deepEqual(startOf(second, 0), { partition: 0, next: 4, end: 10, tries: 1 });
    });

    test('counts how many times somebody began at an offset without getting on', async (place, queue, group) => {
      await queue.append(0, numbered(3).map(record));
      let open = queue;
      const tries: (number | undefined)[] = [];
      for (const commit of [1, null, null, 2, null, 3, null]) {
        const handler = new RecordingHandler();
        const consumer = await consume(open, handler, group);
        await handler.until(() => handler.assignments.length > 0);
        tries.push(startOf(handler, 0)?.tries);
        if (commit !== null) {
          await handler.until(() => handler.texts().at(-1) === 'record 2');
          await consumer.commit(handler.assignment, new Map([[0, commit]]));
        }
        await open[Symbol.asyncDispose]();
        open = await place.open();
      }
      await open[Symbol.asyncDispose]();
      assert.deepEqual(tries.slice(1), [1, 2, 3, 1, 2, undefined]);
    });

    test('wakes a waiting consumer when something is appended', async (_place, queue, group) => {
      const handler = new RecordingHandler();
      await using _consumer = await consume(queue, handler, group);
      await handler.until(() => handler.assignments.length > 0);
      for (const text of ['one', 'two', 'three']) {
        await queue.append(0, [record(text)]);
        await handler.until(() => handler.texts().includes(text));
      }
      assert.deepEqual(handler.texts(), ['one', 'two', 'three']);
    });

    test('fetches no more of a paused partition until it is resumed', async (_place, queue, group) => {
      const handler = new RecordingHandler();
      await using consumer = await consume(queue, handler, group);
      await queue.append(0, [record('first')]);
      await handler.until(() => handler.texts().length === 1);
      consumer.pause([0]);
      // A fetch that was under way may still bring one.
      await queue.append(0, [record('second')]);
      await pause(600);
      const seen = handler.texts().length;
      await queue.append(0, numbered(5).map(record));
      await pause(600);
      assert.equal(handler.texts().length, seen);
      consumer.resume([0]);
      await handler.until(() => handler.texts().length === 7);
      assert.deepEqual(handler.texts(), ['first', 'second', ...numbered(5)]);
    });

    test('hands over again what was not taken, when its partition is resumed', async (_place, queue, group) => {
      const texts = numbered(6);
      await queue.append(0, texts.map(record));
      const handler = new RecordingHandler();
      const take = RecordingHandler.prototype.fetched;
      // One record at a time, after as many refusals.
      let refusals = 0;
      handler.fetched = (batch) => {
        consumer.pause([batch.partition]);
        setTimeout(() => consumer.resume([batch.partition]), 20);
        const [first] = batch.records;
        if (first === undefined || refusals++ % 2 === 0) return first?.offset ?? 0;
        take.call(handler, { ...batch, records: [first] });
        return first.offset + 1;
      };
      await using consumer = await consume(queue, handler, group);
      await handler.until(() => handler.texts().length === texts.length);
      assert.deepEqual(handler.texts(), texts);
      assert.deepEqual(
        handler.records.map(({ offset }) => offset),
        numbers(texts.length),
      );
    });

    test('refuses commits under any number but the present one', async (_place, queue, group) => {
      await queue.append(0, numbered(3).map(record));
      const handler = new RecordingHandler();
      const consumer = await consume(queue, handler, group);
      await handler.until(() => handler.texts().length === 3);
      for (const wrong of [handler.assignment - 1, handler.assignment + 1]) {
        await assert.rejects(consumer.commit(wrong, new Map([[0, 3]])), { code: 'assignment_lost' });
      }
      await consumer[Symbol.asyncDispose]();
      await assert.rejects(consumer.commit(handler.assignment, new Map([[0, 3]])), { code: 'assignment_lost' });
      const again = new RecordingHandler();
      await using _consumer = await consume(queue, again, group);
      await again.until(() => again.texts().length === 3);
      assert.equal(startOf(again, 0)?.next, 0);
    });

    test('lets groups read independently', async (_place, queue, group) => {
      await queue.append(0, numbered(3).map(record));
      const [one, two] = [new RecordingHandler(), new RecordingHandler()];
      await using first = await consume(queue, one, group);
      await one.until(() => one.texts().length === 3);
      await first.commit(one.assignment, new Map([[0, 3]]));
      await using _second = await consume(queue, two, `${group}-2`);
      await two.until(() => two.texts().length === 3);
      assert.deepEqual(two.texts(), numbered(3));
    });
  });
}
