// How long a document takes to be found, as indices say it; and indices that are not refreshed while nobody searches,
// on real servers: whoever follows sees all that came meanwhile, once, and with the first poll.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '#shared/clock.ts';
import { ElasticsearchStore } from '#shared/store/elasticsearch/store.ts';
import { longestRefreshMs } from '#shared/store/elasticsearch/refresh-interval.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { opensearch } from '#test/backends/opensearch.ts';
import { bulkRequest, testId } from '#test/contract/store-bodies.ts';
import { Follower } from '../../../../services/sluice/search/follow/follower.ts';

const indices = (...intervals: readonly (string | null)[]) =>
  Object.fromEntries(
    intervals.map((interval, i) => [
      `index-${i}`,
      { settings: interval === null ? {} : { 'index.refresh_interval': interval } },
    ]),
  );

test('the longest interval of all indices counts, and a second at least', () => {
  const check = (answer: unknown, expected: number): void => assert.equal(longestRefreshMs(answer), expected);
  check({}, 1000);
  check(indices(null), 1000);
  check(indices('1s'), 1000);
  check(indices('250ms', null), 1000);
  check(indices('5s', '1000ms'), 5000);
  check(indices(null, '1500ms', '1m'), 60_000);
  check(indices('2.5s'), 2500);
  check(indices('-1', '30S'), 30_000);
  for (const answer of [null, 5, [], 'text', { index: null }, { index: { settings: [] } }, indices('soon')])
    check(answer, 1000);
});

/** An index is idle after so long without a search, in these tests. */
const IDLE_AFTER_MS = 500;
/** The server looks each second whether an index is due: after two it has. */
const LOOKED_MS = 2500;
const ROUNDS = 1;
const signal = new AbortController().signal;
const servers = [
  { name: 'Elasticsearch', found: await elasticsearch() },
  { name: 'OpenSearch', found: await opensearch() },
];

suite(
  'an index that nobody searches is not refreshed; whoever follows then sees all, once',
  { concurrency: true },
  () => {
    for (const { name, found } of servers)
      test(name, { skip: found ? false : `SKIPPED: no ${name}` }, () => followsIdle(found?.url ?? ''));
  },
);

async function followsIdle(url: string): Promise<void> {
  const stream = `logs-sluice.t${randomBytes(6).toString('hex')}-default`;
  const ask = async (method: string, path: string, body?: object): Promise<string> => {
    const sent = body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const answer = await fetch(`${url}/${stream}/${path}`, { method, ...sent });
    const text = await answer.text();
    assert(answer.ok, text);
    return text;
  };
  const options = { urls: [url], connections: 2, bulkTimeoutMs: 30_000, retentionMs: 1e12 };
  await using store = new ElasticsearchStore({ ...options, indexPatterns: [stream] });
  await store.setup();
  const follower = new Follower(store, {}, systemClock, { refreshIntervalMs: await store.foundAfterMs() });
  let written = 0;
  const write = async (): Promise<string> => {
    const message = `event ${written}`;
    const now = new Date().toISOString();
    const document = { '@timestamp': now, message, event: { ingested: now, sequence: written } };
    const [outcome] = await store.bulk(bulkRequest([{ id: testId(9, written++), index: stream, document }]));
    assert.equal(outcome?.status, 201);
    return message;
  };
  const shown: string[] = [];
  const poll = async (): Promise<void> => {
    for await (const page of follower.poll(signal)) shown.push(...page.map(({ source }) => String(source['message'])));
  };
  const refreshes = async (): Promise<string> =>
    await ask('GET', '_stats/refresh?filter_path=_all.total.refresh.total');
  try {
    const expected = [await write()];
    await ask('PUT', '_settings', { 'index.search.idle.after': `${IDLE_AFTER_MS}ms` });
    await poll();
    for (let round = 0; round < ROUNDS; round++) {
      await delay(LOOKED_MS);
      const before = await refreshes();
      expected.push(await write(), await write());
      await delay(LOOKED_MS);
      assert.equal(await refreshes(), before, 'it is idle');
      await poll();
      assert.deepEqual(shown.toSorted(), expected.toSorted(), 'the poll that ends this waits for the refresh');
      // One that is looked at shows what comes a moment after the poll that woke it.
      expected.push(await write());
      while (shown.length < expected.length) await poll();
      for (let i = 0; i < 12; i++) await poll();
      assert.deepEqual(shown.toSorted(), expected.toSorted(), 'nothing twice');
    }
    await ask('PUT', '_settings', { 'index.refresh_interval': '7s' });
    assert.equal(await store.foundAfterMs(), 7000, 'as the index is, not as it is configured');
  } finally {
    await fetch(`${url}/_data_stream/${stream}`, { method: 'DELETE' });
  }
}
