// What whoever follows a store gets: each document that is committed after the start once, in the order of the commits,
// whatever times it tells and whoever asks; of a store that does not know that order, each once.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '#shared/clock.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { following } from '../../../services/sluice/search/follow/following.ts';
import { day, messages, readStores, type StoreInUse } from './stores.ts';

const BATCHES = 12;
const unstopped = new AbortController().signal;

/** Of documents that come one after another, with times in no order. */
function documents(count: number, name: string) {
  const { at } = day(40);
  return Array.from({ length: count }, (_, i) => ({
    '@timestamp': at((i * 7919) % 1000),
    message: `${name} ${i}`,
    event: { ingested: new Date().toISOString(), sequence: i },
    log: { level: i % 2 === 0 ? 'error' : 'info' },
  }));
}

/** All that comes until as many came. */
async function followed(
  stored: StoreInUse,
  text: string,
  write: () => Promise<void>,
  last: string,
): Promise<unknown[]> {
  const parsed = parseQuery(text, { nowMs: 0 });
  assert(!('mistake' in parsed));
  const { since, until } = day(40);
  const query = { where: parsed.where, since, until, by: 'arrival_time' } as const;
  const refreshIntervalMs = (await stored.store.foundAfterMs?.()) ?? 0;
  const follower = following(stored.store, query, { clock: systemClock, refreshIntervalMs });
  await follower.start(unstopped);
  const found: unknown[] = [];
  const writing = write();
  while (!found.includes(last)) {
    for await (const page of follower.poll(unstopped)) found.push(...messages(page));
    await delay(5);
  }
  await writing;
  for await (const page of follower.poll(unstopped)) found.push(...messages(page));
  return found;
}

for (const { name, options, use } of readStores) {
  describe(name, options, () => {
    const stored = use();

    it('gives each document that came after the start once', async () => {
      await stored.write(stored.numbered(documents(1500, 'before')));
      const found = await followed(
        stored,
        'level:error',
        async () => {
          for (let i = 0; i < BATCHES; i++)
            await stored.write(stored.numbered(documents(i % 3 === 0 ? 1 : 150, `new ${i}`)));
          await stored.write(stored.numbered(documents(1, 'last')));
        },
        'last 0',
      );
      const expected = Array.from({ length: BATCHES }, (_, i) => documents(i % 3 === 0 ? 1 : 150, `new ${i}`))
        .flat()
        .filter(({ log }) => log.level === 'error')
        .map(({ message }) => message);
      const all = [...expected, 'last 0'];
      // By the order in which they came, where that is known.
      if (stored.store.arrived === undefined) assert.deepEqual(new Set(found), new Set(all));
      else assert.deepEqual(found, all);
      assert.equal(found.length, all.length);
    });

    it('goes on behind any place, where it has places', async () => {
      const arrived = stored.store.arrived?.bind(stored.store);
      assert.equal(arrived !== undefined, name.startsWith('embedded'), 'one store alone knows such an order');
      if (arrived === undefined) return;
      const { place: before, documents: none, isMore } = await arrived({}, null);
      assert.deepEqual([none, isMore], [[], false]);
      await stored.write(stored.numbered(documents(2500, 'placed')));
      const expected = documents(2500, 'placed').map(({ message }) => message);
      const found: unknown[] = [];
      const places: number[] = [];
      for (let place = before; found.length < expected.length;) {
        const next = await arrived({}, place);
        found.push(...messages(next.documents));
        for (const { sort } of next.documents) places.push(Number(sort[2]));
        assert(next.place >= place);
        ({ place } = next);
      }
      assert.deepEqual(found, expected);
      assert.deepEqual(
        places,
        places.toSorted((a, b) => a - b),
      );
      // From another place, and with another query in between.
      for (const at of [0, 1, 999, 1000, 2498]) {
        const place = places[at] ?? 0;
        const [next] = await untilSome(() => arrived({}, place));
        assert.equal(next?.source['message'], expected[at + 1]);
        const [other] = await untilSome(() => arrived({ text: '"placed 2499"' }, place));
        assert.equal(other?.source['message'], 'placed 2499');
      }
      const { documents: after } = await arrived({}, places.at(-1) ?? 0);
      assert.deepEqual(after, []);
    });
  });
}

/** Of another process, what is there already may take a moment. */
async function untilSome(ask: () => ReturnType<NonNullable<StoreInUse['store']['arrived']>>) {
  for (;;) {
    const { documents: found } = await ask();
    if (found.length > 0) return found;
    await delay(5);
  }
}
