// What the logs say, as metrics of a running indexer: each document counts once under the level that it has, whatever
// its source wrote; and a source that was heard regularly and then is not counts as silent.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startIndexer } from '#indexer/shells/main.ts';
import { levelWords } from '#indexer/parse/line/level-words.ts';
import { World } from '../world.ts';

type Options = World['options'];

/** The samples of a metric that are not 0: of each, the value of its only label. */
async function samples({ metrics }: Options, name: string): Promise<Record<string, number>> {
  const { body } = await metrics.render();
  const rows = body.matchAll(new RegExp(`^sluice_${name}\\{\\w+="(\\w+)"\\} (\\d+)$`, 'gm'));
  return Object.fromEntries(
    [...rows].map(([, label = '', value]) => [label, Number(value)] as const).filter(([, n]) => n > 0),
  );
}

async function say(world: World, texts: readonly string[], partition = 0, tag = 'app.web'): Promise<void> {
  const entries = texts.map((log) => world.entry({ log, container_id: 'c' }));
  await world.sendEntries(partition, [world.batch(entries.length, 0, tag)], entries);
}

test('events by level: every level there is, by whatever name, and none', async () => {
  const world = new World({ partitions: 1 });
  const { options } = world;
  const indexer = await startIndexer(options);
  const { body } = await options.metrics.render();
  for (const word of levelWords.slice(1))
    assert.match(body, new RegExp(`level="${word}"\\} 0`), 'there from the start');
  await say(world, [
    'no level at all',
    '{"level":"TRACE","msg":"a"}',
    '{"lvl":20,"msg":"a"}',
    '2026-01-02 03:04:05 INFO a',
    '{"level":"Information","msg":"a"}',
    'level=notice msg=a',
    'W0102 03:04:05.000000 1 a.go:1] a',
    'E0102 03:04:05.000000 1 a.go:1] a',
    '<3>a',
    '{"severity":"FATAL","msg":"a"}',
    '<1>a',
    '<0>a',
  ]);
  // A trace is one document.
  await say(world, ['java.lang.IllegalStateException: x', '\tat a.B.c(B.java:1)', '\tat a.B.d(B.java:2)']);
  await world.drained();
  assert.deepEqual(await samples(options, 'events_by_level_total'), {
    none: 2, trace: 1, debug: 1, info: 2, notice: 1, warn: 1, error: 2, critical: 1, alert: 1, emergency: 1,
  }); // prettier-ignore
  await world.clock.until(indexer.stop());
});

test('what is no document counts under no level', async () => {
  const world = new World({ partitions: 1 });
  const { options } = world;
  const indexer = await startIndexer(options);
  await world.sendEntries(0, [world.batch(1)], [Buffer.from('9201c0', 'hex')]);
  await say(world, ['one']);
  await world.drained();
  assert.deepEqual(await samples(options, 'events_by_level_total'), { none: 1 });
  assert.equal(world.queue.letters.length, 1);
  await world.clock.until(indexer.stop());
});

test('sources: active, silent, heard again, forgotten', async () => {
  const world = new World({ partitions: 2 });
  const { options } = world;
  const indexer = await startIndexer(options);
  const minutes = async (count: number, tags: readonly string[]): Promise<void> => {
    for (let minute = 0; minute < count; minute += 1) {
      for (const [n, tag] of tags.entries()) await say(world, ['a'], n % 2, tag);
      await world.clock.advance(60_000);
    }
  };
  await minutes(9, ['a', 'b', 'c']);
  assert.deepEqual(await samples(options, 'sources'), {}, 'not yet known');
  await minutes(2, ['a', 'b', 'c']);
  assert.deepEqual(await samples(options, 'sources'), { active: 3 });
  await minutes(11, ['a']);
  assert.deepEqual(await samples(options, 'sources'), { active: 1, silent: 2 });
  await minutes(1, ['a', 'b']);
  assert.deepEqual(await samples(options, 'sources'), { active: 2, silent: 1 });
  await minutes(61, ['a']);
  assert.deepEqual(await samples(options, 'sources'), { active: 1 }, 'the others are forgotten');
  await world.clock.until(indexer.stop());
});
