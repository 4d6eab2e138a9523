// Events whose records cannot be taken in their order.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KafkaEventRecord, recordsOf } from '#lambda/kafka-event.ts';
import { kafkaEvent } from './kafka-events.ts';

const own = { numberOf: ({ partition }: { partition: number }) => partition, sourceOf: () => null };
const at = (partition: number, offset: number): KafkaEventRecord => ({ topic: 't', partition, offset, timestamp: 0 });

test('records of a partition rise, with holes or without; else nothing of the event is taken', () => {
  const offsets = recordsOf(kafkaEvent([at(0, 7), at(1, 2), at(0, 8), at(0, 12)]), own).map(({ offset }) => offset);
  assert.deepEqual(offsets, [7, 8, 12, 2]);
  for (const forged of [
    [7, 1_000_005, 8],
    [7, 7],
    [-5, 8],
  ]) {
    assert.throws(() => recordsOf(kafkaEvent(forged.map((offset) => at(0, offset))), own), {
      code: 'record_malformed',
      message: /^Cannot read the event: offset -?\d+ of t-0 comes behind -?\d+/,
    });
  }
});
