// What a topic takes: one partition refuses what the others take, and limits are lowered while we run.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readDeadLetters, surveyDeadLetters } from '#shared/queue/dead-letter-reader.ts';
import type { DeadLetter } from '#shared/queue/queue.ts';
import { alter, brokers, open, options, record, topics } from './real-topics.ts';

describe('queue in Kafka: limits', options, () => {
  it('refuses what one partition cannot take, and takes what shared its request', async (t) => {
    const config = await topics(t, brokers);
    await using queue = open(config);
    await queue.opened();
    await alter(config, { 'max.message.bytes': '10000' });
    // The brokers take a setting up when they like.
    const refusal = (async () => {
      for (;;) await queue.append(1, [record('x'.repeat(20_000))]);
    })();
    await assert.rejects(refusal, { code: 'queue_refused' });
    const outcomes = await Promise.allSettled([
      queue.append(0, [record('small')]),
      queue.append(1, [record('x'.repeat(20_000))]),
      queue.append(2, [record('small too')]),
    ]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    const [, refused] = outcomes;
    assert(refused?.status === 'rejected' && refused.reason.code === 'queue_refused');
    assert.equal(queue.unreadyReason, null);
  });

  it('stores a dead letter in fragments where no record takes it, also when the limit changed', async (t) => {
    const config = await topics(t, brokers);
    await using queue = open(config);
    await queue.opened();
    const deadLetter: DeadLetter = {
      batches: Buffer.from('table'),
      index: 3,
      reason: 'document_refused',
      error: 'no',
      from: 'l/0/1',
      value: Buffer.alloc(50_000, 1),
      cut: false,
    };
    const small = { ...deadLetter, value: Buffer.from('small') };
    await queue.appendDeadLetters([deadLetter]);
    await alter(config, { 'max.message.bytes': '10000' }, config['kafka.dead_letter_topic']);
    // The brokers take a setting up when they like: until then such dead letters pass whole.
    const append = (): Promise<void> => queue.appendDeadLetters([small, deadLetter, small]);
    const refusal = (async () => {
      for (;;) await append();
    })();
    await assert.rejects(refusal, { code: 'queue_refused' });
    // What was refused has made the queue look at the limit.
    await append();
    const { signal } = new AbortController();
    const survey = await surveyDeadLetters(queue, undefined, signal);
    const deadLetters = await Array.fromAsync(readDeadLetters(queue, {}, { survey, signal }));
    for (const { cut, missingBytes, value } of deadLetters)
      assert(!cut && missingBytes === 0 && (value.length === 50_000 || value.length === 5), `${value.length} bytes`);
    const parts = await Array.fromAsync(queue.read({ topic: 'dead-letters' }));
    assert(parts.filter(({ headers }) => headers['parts_id']).length >= 6);
    for (const { headers } of parts) assert.equal(Buffer.from(headers['batches'] ?? []).toString(), 'table');
    assert.equal(queue.unreadyReason, null);
  });

  it('finds what a topic takes when its limit was lowered, at the first refusal', async (t) => {
    const config = await topics(t, brokers);
    await using queue = open(config);
    await queue.opened();
    const before = queue.appendBytesMax;
    await alter(config, { 'max.message.bytes': '10000' });
    const refusal = (async () => {
      for (;;) await queue.append(0, [record('x'.repeat(20_000))]);
    })();
    await assert.rejects(refusal, { code: 'queue_refused' });
    assert(before > 1_000_000);
    assert.equal(queue.appendBytesMax, 10_000 - 61);
    await queue.append(0, [record('x'.repeat(9000))]);
  });
});
