// Ten containers that print stack traces of nine languages at the same time, line by line, through each shell of the
// indexer: at the end each line is stored once, in its order, and a trace that is not one document is marked. On a
// function, whose calls end anywhere, most that such an end cuts are; the others are whole.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { InvocationIndexer } from '#indexer/shells/invocation-indexer.ts';
import { numberedTraces } from '#test/fixtures/numbered-traces.ts';
import { World } from '../world.ts';

const CONTAINERS = 10;
const TRACES = 18;
const LINES_MAX = 6;
const PAUSE_MS_MAX = 40;

interface Container {
  readonly id: string;
  readonly said: string[];
  readonly traces: readonly string[];
}

function containersOf(): Container[] {
  return Array.from({ length: CONTAINERS }, (_, c) => {
    const said: string[] = [];
    const traces: string[] = [];
    for (let round = 0; round < TRACES; round += 1) {
      const lines = numberedTraces[(c + round) % numberedTraces.length]?.lines(`${c}.${round}`) ?? [];
      traces.push(lines.join('\n'));
      said.push(...lines, `2026-01-02 INFO ordinary ${c}.${round}`);
    }
    return { id: `container-${c}`, said, traces };
  });
}

/** Sends all that the containers say, a record of a few lines at a time; `between` is called after each. */
async function speak(world: World, containers: readonly Container[], between: () => Promise<void>): Promise<void> {
  const left = containers.map(({ id, said }) => ({ id, texts: [...said] }));
  while (left.some(({ texts }) => texts.length > 0)) {
    const entries: Buffer[] = [];
    for (let lines = 1 + Math.floor(world.random() * LINES_MAX); lines > 0; lines -= 1) {
      const { id, texts } = left[Math.floor(world.random() * left.length)] ?? { id: '', texts: [] };
      const log = texts.shift();
      if (log !== undefined) entries.push(world.entry({ log, container_id: id, source: 'stderr' }));
    }
    if (entries.length > 0) await world.sendEntries(0, [world.batch(entries.length)], entries);
    await world.clock.advance(Math.floor(world.random() * PAUSE_MS_MAX));
    await between();
  }
}

/** Returns the share of marked traces. */
function compare(t: TestContext, world: World, containers: readonly Container[]): number {
  const stored = [...world.store.documents.values()] as unknown as {
    readonly message: string;
    readonly container: { readonly id: string };
    readonly log?: { readonly flags?: readonly string[] };
    readonly event: { readonly sequence: number; readonly original?: string };
  }[];
  let marked = 0;
  for (const { id, said, traces } of containers) {
    const documents = stored
      .filter(({ container }) => container.id === id)
      .toSorted((a, b) => a.event.sequence - b.event.sequence);
    const messages = documents.map(({ message, event }) => event.original ?? message);
    assert.equal(messages.join('\n'), said.join('\n'), `${id}: each line once, in its order`);
    for (const trace of traces) {
      if (messages.includes(trace)) continue;
      marked += 1;
      const beginning = messages.findIndex((message) => message !== '' && trace.startsWith(`${message}\n`));
      assert(documents[beginning]?.log?.flags?.includes('partial'), `what is not whole is marked: ${trace}`);
    }
  }
  const count = CONTAINERS * TRACES;
  t.diagnostic(`${count} traces, ${marked} marked (${((100 * marked) / count).toFixed(1)} %)`);
  return marked / count;
}

test('a consumer that is stopped and loses its partitions in between', async (t) => {
  const world = new World({ partitions: 1, seed: 3 });
  const containers = containersOf();
  const started = [await world.start()];
  await speak(world, containers, async () => {
    if (world.random() >= 0.05) return;
    world.queue.rebalance();
    if (world.random() >= 0.5) return;
    await world.clock.until(started.at(-1)!.stop());
    started.push(await world.start());
  });
  await world.drained();
  for (const indexer of started) {
    await world.clock.until(indexer.stop());
    assert.equal(indexer.ledger.imbalance, 0);
  }
  assert(compare(t, world, containers) < 0.1);
});

test('drain jobs, one after another', async (t) => {
  const world = new World({ partitions: 1, seed: 4 });
  const containers = containersOf();
  const drain = async (): Promise<void> => {
    const job = drainIndexer({ ...world.options, signal: new AbortController().signal });
    assert((await world.clock.until(job)).drained);
  };
  await speak(world, containers, async () => {
    if (world.random() < 0.02) await drain();
  });
  await drain();
  assert(compare(t, world, containers) < 0.5);
});

for (const passOnTails of [true, false]) {
  test(`calls of a function; tails are ${passOnTails ? 'passed on' : 'left for the next'}`, async (t) => {
    const world = new World({ partitions: 1, seed: 5 });
    const containers = containersOf();
    await speak(world, containers, async () => {});
    await using indexer = new InvocationIndexer(world.options);
    const records = world.queue.log(0);
    let next = 0;
    while (next < records.length) {
      const some = records.slice(next, next + 50);
      const call = indexer.index(some, { timeLimitMs: 60_000, passOnTails });
      const { watermarks } = await world.clock.until(call);
      assert(watermarks.get(0)! > next, 'each call goes on');
      next = watermarks.get(0)!;
    }
    assert(compare(t, world, containers) < 0.5);
  });
}

test('many lines behind: an indexer that begins late makes the same documents as one that was there', async () => {
  const texts: string[][] = [];
  for (const isLate of [false, true]) {
    const world = new World({ partitions: 1, seed: 6 });
    const containers = containersOf();
    const early = isLate ? null : await world.start();
    await speak(world, containers, async () => {});
    await world.clock.advance(60_000);
    const indexer = early ?? (await world.start());
    await world.drained();
    await world.clock.until(indexer.stop());
    texts.push([...world.store.documents.keys()].toSorted());
  }
  assert.deepEqual(texts[1], texts[0]);
});
