// Started and killed by killed.test.ts: puts numbered batches into the queue, some that came before once more, and
// indexes them. Says on standard output: `ready`, the number of each batch that the queue has, and what operators are
// told. Arguments: the life as JSON, number of the first batch.

import { setTimeout as delay } from 'node:timers/promises';
import { type Life, recordOf } from './numbered-batches.ts';
import { Pipeline } from './pipeline.ts';

const AT_ONCE = 4;
/** Between two appends of one writer. */
const PAUSE_MS = 4;
/** On a full disk. */
const REFUSED_MS = 10;

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

async function write(pipeline: Pipeline, life: Life, first: number): Promise<void> {
  for (let number = first; ; number += AT_ONCE) {
    const record = recordOf(number, life);
    while (!(await appended(pipeline, [record]))) await delay(REFUSED_MS);
    say(String(number));
    // What is answered twice is the same, whenever it comes.
    const again = number - 1 - ((number * 7919) % life.latest);
    if (number % 3 === 0 && again > 0) await appended(pipeline, [recordOf(again, life)]);
    await delay(PAUSE_MS);
  }
}

async function appended(pipeline: Pipeline, records: Parameters<Pipeline['queue']['append']>[1]): Promise<boolean> {
  return pipeline.queue.append(0, records).then(
    () => true,
    () => false,
  );
}

async function compact(pipeline: Pipeline): Promise<void> {
  for (;;) {
    try {
      for await (const _ of pipeline.store.files.compact());
    } catch (error) {
      say(`told compact: ${String(error)}`);
    }
    await delay(PAUSE_MS);
  }
}

const [json = '', first = '1'] = process.argv.slice(2);
const life = JSON.parse(json) as Life;
const pipeline = await Pipeline.open(life, (message) => say(`told ${message.replaceAll('\n', ' ')}`));
say('ready');
await pipeline.index();
if (life.compacts) void compact(pipeline);
await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => write(pipeline, life, Number(first) + i)));
