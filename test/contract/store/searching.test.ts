// What every store finds, and in which order: by time, by name, by when it was ingested, page by page.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoreQuery } from '#shared/store/store.ts';
import { bulkRequest } from '../store-bodies.ts';
import { day, messages, readStores, statuses } from './stores.ts';

const MANY_NAMES = 40_000;

for (const { name, options, use } of readStores) {
  describe(name, options, () => {
    const stored = use();

    it('orders by time, then by sequence', async () => {
      const { since, until, at } = day(6);
      const rows: readonly [time: number, sequence: number][] = [
        [3, 1],
        [1, 9],
        [2, 2],
        [2, 1],
        [1, 10],
      ];
      await stored.write(
        stored.numbered(
          rows.map(([ns, sequence]) => ({ '@timestamp': at(ns), message: `${ns}/${sequence}`, event: { sequence } })),
        ),
      );
      const oldest = ['1/9', '1/10', '2/1', '2/2', '3/1'];
      assert.deepEqual(messages(await stored.search({ since, until })), oldest);
      assert.deepEqual(messages(await stored.search({ since, until, order: 'newest' })), oldest.toReversed());
      assert.deepEqual(messages(await stored.search({ since, until, order: 'newest', limit: 2 })), ['3/1', '2/2']);
    });

    it('bounds time to the nanosecond: since is inside, until is not', async () => {
      const { at } = day(7);
      await stored.write(
        stored.numbered([998, 999, 1000, 1001].map((ns) => ({ '@timestamp': at(ns), message: String(ns) }))),
      );
      const check = async (query: Partial<StoreQuery>, expected: string[]) =>
        assert.deepEqual(messages(await stored.search(query)), expected);
      await check({ since: at(998), until: at(1002) }, ['998', '999', '1000', '1001']);
      await check({ since: at(999), until: at(1001) }, ['999', '1000']);
      await check({ since: at(1000), until: at(1000) }, []);
      await check({ since: '2020-01-07T13:00:00.000000999+01:00', until: '2020-01-07T12:00:00.000001000Z' }, ['999']);
      await check({ since: '2020-01-07', until: at(999) }, ['998']);
      await check({ since: '1066-10-14', until: '1970-01-02' }, []);
    });

    it('by arrival: orders by sequence, and bounds by when a line came, page by page', async () => {
      const { since, until, at } = day(21);
      const rows: readonly [time: number, sequence: number, created: number | null][] = [
        [9, 1, 11],
        [10, 2, null],
        [2, 3, 12],
        [2, 4, 12],
        [5, 4, 14],
        [900, 5, 15],
      ];
      const documents = rows.map(([time, sequence, created]) => ({
        '@timestamp': at(time),
        message: `${sequence}/${time}`,
        container: { name: 'arrived' },
        event: { sequence, ...(created !== null && { created: at(created) }) },
      }));
      await stored.write(stored.numbered(documents));
      const query = { name: 'arrived', by: 'arrival' } as const;
      const all = ['1/9', '2/10', '3/2', '4/2', '4/5', '5/900'];
      assert.deepEqual(messages(await stored.search({ ...query, since, until })), all);
      assert.deepEqual(messages(await stored.search({ ...query, since, until, order: 'newest' })), all.toReversed());
      assert.deepEqual(messages(await stored.search({ ...query, since: at(12), until: at(15) })), [
        '3/2',
        '4/2',
        '4/5',
      ]);
      assert.deepEqual(messages(await stored.search({ ...query, since: at(10), until: at(12) })), ['1/9', '2/10']);
      const times = await stored.search({ name: 'arrived', by: 'arrival_time', since: at(12), until: at(16) });
      assert.deepEqual(messages(times), ['3/2', '4/2', '4/5', '5/900']);
      for (const order of ['oldest', 'newest'] as const) {
        const paged: unknown[] = [];
        let after: readonly (string | number)[] | undefined;
        for (;;) {
          const page = await stored.search({ ...query, since, until, order, limit: 1, ...(after && { after }) });
          if (page[0] === undefined) break;
          paged.push(page[0].source['message']);
          after = page[0].sort;
        }
        assert.deepEqual(paged, order === 'oldest' ? all : all.toReversed());
      }
      const [, , third] = await stored.search({ ...query, since, until });
      const from = { ...query, since, until, after: third?.sort.slice(0, 2) ?? [] };
      assert.deepEqual(messages(await stored.search(from)), all.slice(2));
    });

    it('finds by a pattern that means more names than a query may list', async () => {
      const { since, until, at } = day(20);
      const PIECE = 10_000;
      for (let first = 0; first < MANY_NAMES; first += PIECE) {
        const documents = Array.from({ length: PIECE }, (_, i) => ({
          '@timestamp': at(first + i),
          service: { name: `many-${first + i}` },
          message: String(first + i),
        }));
        await stored.store.bulk(bulkRequest(stored.numbered(documents)));
      }
      await stored.opened.refresh();
      const query = { since, until, name: 'many-*', limit: 2 };
      assert.deepEqual(messages(await stored.search(query)), ['0', '1']);
      assert.deepEqual(messages(await stored.search({ ...query, order: 'newest' })), ['39999', '39998']);
      assert.deepEqual(
        messages(await stored.search({ ...query, name: 'many-39*', order: 'newest', text: '3999*', limit: 1 })),
        ['39999'],
      );
    });

    it('finds by name', async () => {
      const { since, until, at } = day(8);
      const id = 'c0ffee'.padEnd(64, '0');
      const origins: Record<string, unknown>[] = [
        { container: { id, name: 'web-1' }, fluentd: { tag: 'docker.web' } },
        { container: { id: 'd'.repeat(64), name: 'web-2' }, fluentd: { tag: 'docker.web' } },
        { service: { name: 'billing' }, fluentd: { tag: 'app.billing' } },
        { fluentd: { tag: 'app?[x]' } },
        { kubernetes: { pod: { name: 'cart-7d9f-x2x4z' } }, container: { name: 'cart' } },
      ];
      await stored.write(
        stored.numbered(origins.map((origin, i) => ({ '@timestamp': at(i), message: String(i), ...origin }))),
      );
      const check = async (name: string, expected: string[]) =>
        assert.deepEqual(messages(await stored.search({ since, until, name })), expected, name);
      await check('web-1', ['0']);
      await check('web', []);
      await check('WEB-1', []);
      await check('web-*', ['0', '1']);
      await check('*', ['0', '1', '2', '3', '4']);
      await check('cart-7d9f-x2x4z', ['4']);
      await check('cart-*', ['4']);
      await check('cart-7d9f', []);
      await check('c0ff', ['0']);
      await check('c0f', []);
      await check(id, ['0']);
      await check('billing', ['2']);
      await check('docker.web', ['0', '1']);
      await check('app.*', ['2']);
      await check('app?[x]', ['3']);
      await check('app?*', ['3']);
      await check('*[x]', ['3']);
      await check('', []);
    });

    it('finds what was ingested since', async () => {
      const { since, until, at } = day(13);
      const ingested = Date.UTC(2026, 0, 1);
      await stored.write(
        stored.numbered(
          [0, 1, 2, 3].map((i) => ({
            '@timestamp': at(9 - i),
            message: String(i),
            event: { ingested: new Date(ingested + i).toISOString(), sequence: i },
          })),
        ),
      );
      assert.deepEqual(messages(await stored.search({ since, until, ingestedSinceMs: ingested + 2 })), ['3', '2']);
      assert.deepEqual(messages(await stored.search({ since, until, ingestedSinceMs: ingested + 4 })), []);
      const between = { ingestedSinceMs: ingested + 1, ingestedUntilMs: ingested + 3 };
      assert.deepEqual(messages(await stored.search({ since, until, ...between })), ['2', '1']);
    });

    it('gives pages that neither skip nor repeat, also where time and sequence are the same', async () => {
      const { since, until, at } = day(12);
      const documents = stored.numbered(
        Array.from({ length: 50 }, (_, i) => ({
          '@timestamp': at(Math.floor(i / 20)),
          message: String(i),
          event: { sequence: i % 20 < 15 ? 1 : 2 },
        })),
      );
      await stored.write(documents);
      const expected = documents.map(({ id }) => id).toSorted();
      for (const order of ['oldest', 'newest'] as const) {
        for (const limit of [1, 7, 50]) {
          const ids: string[] = [];
          for (let page = await stored.search({ since, until, order, limit }); page.length > 0;) {
            for (const { id } of page) ids.push(id);
            page = await stored.search({ since, until, order, limit, after: page.at(-1)?.sort ?? [] });
          }
          assert.deepEqual(ids.toSorted(), expected, `${order} by ${limit}`);
        }
      }
    });

    it('gives pages that neither skip nor repeat, over several indices that have the same times', async () => {
      const { since, until, at } = day(23);
      const BATCHES = 24;
      const expected: string[] = [];
      for (let batch = 0; batch < BATCHES; batch++) {
        if (batch % 8 === 7) await stored.opened.rollOver();
        const documents = stored.numbered(
          Array.from({ length: 250 }, (_, i) => ({
            '@timestamp': at(7),
            message: 'the same time',
            event: { sequence: ((batch * 7) % BATCHES) * 1000 + i },
          })),
        );
        for (const { id } of documents) expected.push(id);
        await stored.write(documents);
      }
      for (const query of [{ since, until }, { text: '"the same time"' }]) {
        for (const order of ['oldest', 'newest'] as const) {
          const found = await stored.search({ ...query, order, limit: 2 * expected.length });
          const ids = found.map(({ id }) => id).toSorted();
          assert(ids.join() === expected.toSorted().join(), `${order}: ${ids.length} of ${expected.length}`);
        }
      }
    });

    it('gives large documents in pages of bounded bytes, each once', async () => {
      const { since, until, at } = day(17);
      const sizes = [1, 3, 3, 3, 3, 3, 7, 1, 3, 0, 0, 0].map((mib) => mib * 1024 * 1024);
      const documents = stored.numbered(
        sizes.map((size, i) => ({
          '@timestamp': at(Math.floor(i / 4)),
          message: `large ${'word '.repeat(size / 5)}`,
          event: { sequence: 1, ingested: at(0) },
        })),
      );
      for (const document of documents) assert.deepEqual(statuses(await stored.write([document])), [201]);
      for (const query of [{}, { text: 'large' }, { ingestedSinceMs: 0, ingestedUntilMs: Date.parse(until) }]) {
        const ids: string[] = [];
        for await (const page of stored.store.pages({ since, until, order: 'oldest', limit: 50, ...query })) {
          assert(page.documents.length === 1 || page.bytes < 34 * 1024 * 1024, `${page.bytes} bytes`);
          for (const { id } of page.documents) ids.push(id);
        }
        assert.deepEqual(ids.toSorted(), documents.map(({ id }) => id).toSorted(), JSON.stringify(query));
      }
    });
  });
}
