// A second consumer joins and the first leaves: nothing is lost, and no late commit is taken.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RecordingHandler } from '../recording-handler.ts';
import { brokers, committed, numbered, open, options, record, topics } from './real-topics.ts';

const PER_PARTITION = 50;

describe('queue in Kafka: rebalance', options, () => {
  it('loses nothing and takes no late commit when a second consumer joins and the first leaves', async (t) => {
    const config = await topics(t, brokers);
    const group = config['kafka.group'];
    await using queue = open(config);
    await queue.opened();
    for (const partition of [0, 1, 2]) await queue.append(partition, numbered(PER_PARTITION).map(record));

    const one = new RecordingHandler();
    const first = await queue.consume(one, { group, fetchBytesMax: 65_536 });
    await one.until(() => [0, 1, 2].every((partition) => one.texts(partition).length === PER_PARTITION));
    // Commits 1 under its first assignment for as long as it is let, all through the rebalance and after it.
    const old = one.assignment;
    const late = commitWithoutEnd(() => first.commit(old, new Map([0, 1, 2].map((partition) => [partition, 1]))));

    const two = new RecordingHandler();
    await using second = await queue.consume(two, { group, fetchBytesMax: 65_536 });
    await two.until(() => two.partitions.length > 0);
    await one.until(() => one.revocations.includes(old) && one.assignment > old);
    const moved = two.partitions;
    const kept = [0, 1, 2].filter((partition) => !moved.includes(partition));
    await two.until(() => moved.every((partition) => two.texts(partition).length >= PER_PARTITION - 1));
    await second.commit(two.assignment, new Map(moved.map((partition) => [partition, 20])));
    await one.until(() => one.batches.some(({ assignment }) => assignment === one.assignment));
    const outcomes = await late.stop();
    assert(outcomes.taken > 0 && outcomes.refused > 0, JSON.stringify(outcomes));
    assert.deepEqual(outcomes.others, []);
    assert.deepEqual(
      await committed(config, moved),
      moved.map(() => 20),
    );
    assert.deepEqual(
      await committed(config, kept),
      kept.map(() => 1),
    );

    await first[Symbol.asyncDispose]();
    await two.until(() => two.partitions.length === 3);
    const last = two.assignment;
    const begun = new Map(two.assignments.at(-1)?.starts.map(({ partition, next }) => [partition, next]));
    assert.deepEqual(begun, new Map([0, 1, 2].map((partition) => [partition, moved.includes(partition) ? 20 : 1])));
    for (const partition of [0, 1, 2]) {
      const next = begun.get(partition) ?? 0;
      const wanted = numbered(PER_PARTITION).slice(next);
      const got = (): string[] =>
        two.batches
          .filter((batch) => batch.assignment === last && batch.partition === partition)
          .flatMap(({ records }) => records.map(({ value }) => Buffer.from(value).toString()));
      await two.until(() => got().length >= wanted.length);
      assert.deepEqual(got(), wanted);
    }
  });
});

/** Commits again and again, a turn of the event loop apart, and counts what became of it. */
function commitWithoutEnd(commit: () => Promise<void>) {
  const outcomes = { taken: 0, refused: 0, others: [] as string[] };
  const stopping = new AbortController();
  const one = async (): Promise<void> => {
    try {
      await commit();
      outcomes.taken++;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'assignment_lost') outcomes.refused++;
      else outcomes.others.push(String(error));
    }
  };
  const run = async (): Promise<void> => {
    // A new one begins whether or not those before have ended, so that some are on their way at any moment.
    const running: Promise<void>[] = [];
    for (let i = 0; !stopping.signal.aborted; i++) {
      running.push(one());
      if (i % 20 === 0) await Promise.all(running.splice(0));
      else await new Promise(setImmediate);
    }
    await Promise.all(running);
  };
  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
      return outcomes;
    },
  };
}
