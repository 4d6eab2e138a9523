// What every queue does with dead letters: they lie apart, and the large ones in fragments.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe } from 'node:test';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { encodeBatches } from '#shared/record/record.ts';
import { allBytes, hex, plainHeaders, queues, readAll, readTexts, record } from './queues.ts';

for (const { name, options, test } of queues) {
  describe(name, options, () => {
    test('keeps dead letters apart, with all that is known of them', async (_place, queue) => {
      const batches = encodeBatches([
        {
          id: Buffer.alloc(16, 1),
          first: 0,
          count: 3,
          tag: 'a',
          input: 'forward',
          tenant: null,
          receivedMs: 1,
          seq: 2,
          sender: 's',
          version: 2,
          chain: null,
        },
      ]);
      const event: DeadLetter = {
        batches,
        index: 2,
        reason: 'mapping',
        error: 'it said “no”',
        from: 'sluice.logs/0/7',
        value: allBytes(),
        cut: false,
      };
      const chunk: DeadLetter = {
        batches: new Uint8Array(),
        reason: 'malformed',
        error: '',
        from: 'edge',
        value: Buffer.from('raw'),
        cut: true,
      };
      await queue.appendDeadLetters([event]);
      await queue.appendDeadLetters([chunk]);
      await queue.append(0, [record('a log')]);
      const deadLetters = await readAll(queue, { topic: 'dead-letters' });
      const byFrom = new Map(
        deadLetters.map((deadLetter) => [Buffer.from(deadLetter.headers['from'] ?? []).toString(), deadLetter]),
      );
      assert.deepEqual(plainHeaders(byFrom.get(event.from)), {
        v: hex('2'),
        batches: hex(batches),
        index: hex('2'),
        reason: hex('mapping'),
        error: hex(event.error),
        from: hex(event.from),
      });
      assert.equal(hex(byFrom.get(event.from)?.value ?? ''), hex(allBytes()));
      assert.deepEqual(plainHeaders(byFrom.get('edge')), {
        v: hex('2'),
        batches: '',
        reason: hex('malformed'),
        error: '',
        from: hex('edge'),
        cut: hex('1'),
      });
      assert.deepEqual(await readTexts(queue), ['a log']);
    });

    test('takes a dead letter of several times its limit whole, in fragments, among others', async (_place, queue) => {
      const value = randomBytes(Math.floor(queue.appendBytesMax * 2.5));
      const about = { batches: new Uint8Array(), reason: 'malformed', error: 'no', cut: false };
      const large: DeadLetter = { ...about, from: 'large', value };
      const small: DeadLetter = { ...about, from: 'small', value: Buffer.from('raw') };
      await Promise.all([
        queue.appendDeadLetters([small, large, small]),
        queue.appendDeadLetters([large]),
        queue.appendDeadLetters([small]),
      ]);
      const { signal } = new AbortController();
      const survey = await surveyDeadLetters(queue, undefined, signal);
      const deadLetters = await Array.fromAsync(readDeadLetters(queue, {}, { survey, signal }));
      assert.deepEqual(deadLetters.map(({ from }) => from).toSorted(), ['large', 'large', 'small', 'small', 'small']);
      for (const deadLetter of deadLetters) {
        assert.deepEqual([deadLetter.cut, deadLetter.missingBytes], [false, 0]);
        if (deadLetter.from === 'large') assert(Buffer.from(deadLetter.value).equals(value));
      }
      // Whoever knows nothing of parts sees that it has not all.
      for (const { headers } of await readAll(queue, { topic: 'dead-letters' }))
        assert.equal(headers['cut'] !== undefined, Buffer.from(headers['from'] ?? []).toString() === 'large');
    });
  });
}
