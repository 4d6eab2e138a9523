// The watch of this node's pods against an API that does whatever an API can do: what is known in the end is what the
// API has, and it is asked no more often than it wants.

import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { KnownPods } from '#forwarder/collect/pods/known-pods.ts';
import { PodTelemetry } from '#forwarder/collect/pods/telemetry.ts';
import { PodWatch, type WatchLimits } from '#forwarder/collect/pods/pod-watch.ts';
import { podPathOf } from '#forwarder/decode/containers/pod-path.ts';
import { type Clock, systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { uid } from '../containers/pod-tree.ts';
import { eventOf, EXPIRED, listOf, podObject, type PodSpec } from '../../decode/kubernetes/pod-objects.ts';
import { fail, isWatch, StandInApi } from './stand-in-api.ts';
import { Authority } from '../../admit/certificates.ts';
import { readFileSync } from 'node:fs';

class Watching implements AsyncDisposable {
  readonly told: { event: string; reason?: string }[] = [];
  /** How long it wanted to wait; it does not. */
  readonly waits: number[] = [];
  readonly known: KnownPods;
  readonly watch: PodWatch;
  readonly api: StandInApi;

  constructor(api: StandInApi, limits: Partial<WatchLimits> = {}) {
    this.api = api;
    const clock: Clock = {
      ...systemClock,
      sleep: (ms, signal) => {
        this.waits.push(ms);
        return systemClock.sleep(1, signal);
      },
    };
    this.known = new KnownPods(clock);
    const tell = (event: string, about: object = {}): void => void this.told.push({ event, ...about });
    const metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
    const telemetry = new PodTelemetry(metrics, { debug: tell, info: tell, warn: tell, error: tell }, () => 0);
    const wants = { node: 'node-1', isLabel: () => true, isAnnotation: () => true };
    this.watch = new PodWatch({
      place: api.place,
      wants,
      known: this.known,
      clock,
      telemetry,
      random: () => 0.5,
      limits,
    });
  }

  /** The label `n` of a pod; null where it is not known. */
  label(n: number): string | null {
    const path = podPathOf(`/var/log/pods/shop_web-${n}_${uid(n)}/app/0.log`);
    const pod = path === null ? null : this.known.of(path);
    return pod === null ? null : (pod.labels['n'] ?? '');
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await delay(2);
  }

  async untilKnown(...labels: readonly (string | null)[]): Promise<void> {
    await this.until(() => labels.every((label, n) => this.label(n) === label));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch.close();
  }
}

function pod(n: number, label = String(n)): PodSpec {
  return { name: `web-${n}`, uid: uid(n), labels: { n: label } };
}

const limit = { timeout: 60_000 };

test('a list in pages, and what the watch tells after it', limit, async () => {
  await using api = await StandInApi.start();
  api.pageItems = 2;
  for (let n = 0; n < 5; n += 1) api.put(pod(n));
  await using watching = new Watching(api);
  await watching.untilKnown('0', '1', '2', '3', '4');
  await watching.until(() => api.watches === 1);
  api.put(pod(5));
  api.put(pod(1, 'anew'));
  api.put({ ...pod(6), node: 'node-2' });
  api.remove(uid(0));
  await watching.untilKnown('0', 'anew', '2', '3', '4', '5');
  await watching.until(() => watching.known.count === 5);
  assert.equal(watching.label(6), null, 'it is of another node');
  assert.equal(watching.label(0), '0', 'its files may be read later than it ends');
  const [first, second] = api.questions;
  assert.equal(first?.get('fieldSelector'), 'spec.nodeName=node-1');
  assert.deepEqual([first?.get('resourceVersion'), second?.get('resourceVersion')], ['0', null]);
  assert.deepEqual(watching.waits, []);
});

test('a watch that ends, or breaks off in the middle of a line, goes on from its version', limit, async () => {
  await using api = await StandInApi.start();
  api.put(pod(0));
  await using watching = new Watching(api);
  await watching.untilKnown('0');
  for (let n = 1; n < 12; n += 1) {
    await watching.until(() => api.watches === 1);
    // The bytes of a line are cut anywhere.
    const event = eventOf('ADDED', podObject({ ...pod(n, 'torn'), version: '900' }));
    api.tell(event.slice(0, (event.length * n) / 12));
    if (n % 3 === 0) api.end();
    else api.drop();
    await watching.until(() => api.watches === 0);
    api.put(pod(n));
    await watching.untilKnown(...Array.from({ length: n + 1 }, (_, i) => String(i)));
  }
  assert.equal(api.lists(), 1);
});

test('410 Gone: as an answer, as an event, and of a page', limit, async () => {
  await using api = await StandInApi.start();
  api.put(pod(0));
  await using watching = new Watching(api);
  const check = async (n: number): Promise<void> => {
    const lists = api.lists();
    api.put(pod(n));
    await watching.until(() => api.watches === 1);
    api.remove(uid(n - 1), { tells: false });
    api.end();
    await watching.untilKnown(...Array.from({ length: n + 1 }, (_, i) => String(i)));
    await watching.until(() => watching.known.count === 1);
    assert.ok(api.lists() > lists);
    assert.equal(api.questions.findLast((query) => !isWatch(query))?.get('resourceVersion'), null, 'not from a cache');
  };
  await watching.until(() => api.watches === 1);
  api.instead.push((query, response) => isWatch(query) && fail(response, 410, EXPIRED.message));
  await check(1);
  await watching.until(() => api.watches === 1);
  api.instead.push(
    (query, response) => isWatch(query) && void response.end(`{"type":"ERROR","object":${JSON.stringify(EXPIRED)}}\n`),
  );
  await check(2);
  api.pageItems = 1;
  for (let n = 10; n < 13; n += 1) api.put(pod(n));
  await watching.until(() => api.watches === 1);
  api.instead.push(
    (query, response) =>
      query.get('continue') === '2' && fail(response, 410, 'The provided continue parameter is too old'),
  );
  api.instead.push((query, response) => isWatch(query) && fail(response, 410, EXPIRED.message));
  api.end();
  await watching.until(() => watching.known.count === 4);
  assert.deepEqual(
    watching.told.map(({ event }) => event),
    ['kubernetes_api_answers'],
  );
});

test('429 and 5xx: later and later, and not before Retry-After; told once', limit, async () => {
  await using api = await StandInApi.start();
  api.put(pod(0));
  for (const [code, headers] of [
    [500, {}],
    [429, { 'retry-after': '7' }],
    [503, { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }],
    [500, { 'retry-after': 'soon' }],
    [504, {}],
    [500, { 'retry-after': '999999' }],
  ] as const)
    // prettier-ignore
    api.instead.push((_query, response) => fail(response, code, 'not now', headers));
  await using watching = new Watching(api);
  await watching.untilKnown('0');
  assert.deepEqual(watching.waits, [50, 7000, 200, 400, 800, 300_000]);
  assert.deepEqual(
    watching.told.map(({ event, reason = '' }) => `${event} ${reason}`.trim()),
    ['kubernetes_api_unavailable 500 not now', 'kubernetes_api_answers'],
  );
});

test('an API that accepts a watch and drops it at once is not asked at once again', limit, async () => {
  await using api = await StandInApi.start();
  api.put(pod(0));
  for (let n = 0; n < 8; n += 1) api.instead.push((query, response) => isWatch(query) && void response.end());
  await using watching = new Watching(api);
  await watching.until(() => api.watches === 1);
  assert.deepEqual(watching.waits, [50, 100, 200, 400, 800, 1600, 3200, 6400]);
});

test('answers that are rubbish, or too large', limit, async () => {
  await using api = await StandInApi.start();
  api.put(pod(0));
  const huge = podObject({ ...pod(1), padding: 9 * 1024 * 1024 });
  const large = Array.from({ length: 25 }, (_, n) => podObject({ ...pod(n + 1), padding: 1024 * 1024 }));
  for (const body of [
    '',
    '<html>',
    '{"items":[1]}',
    '[]',
    '{"metadata":{},"items":[]}',
    '\u0000',
    '{'.repeat(100_000),
    listOf([podObject()]).slice(0, -9),
    listOf([huge]),
  ])
    // prettier-ignore
    api.instead.push((_query, response) => void response.end(body));
  api.instead.push((_query, response) => void response.writeHead(302, { location: 'https://127.0.0.1:1/' }).end());
  api.instead.push((_query, response) => void response.end(listOf(large)));
  for (const line of ['rubbish\n', `{"type":"ADDED","object":{}}\n`, 'x'.repeat(50 * 1024 * 1024)])
    api.instead.push((query, response) => isWatch(query) && void response.write(line));
  await using watching = new Watching(api);
  await watching.until(() => watching.known.count === 25);
  await watching.until(() => api.instead.length === 0 && api.watches === 1);
  api.put(pod(0, 'anew'));
  await watching.until(() => watching.label(0) === 'anew');
});

test('an API that hangs, before its answer and within it', limit, async () => {
  await using api = await StandInApi.start();
  api.put(pod(0));
  api.instead.push(
    () => undefined,
    (_query, response) => response.flushHeaders(),
    (_query, response) => void response.write('{"kind":"PodList",'),
  );
  await using watching = new Watching(api, { idleMs: 300 });
  await watching.untilKnown('0');
});

test('a watch that says nothing any more is begun again', limit, async () => {
  await using api = await StandInApi.start();
  await using watching = new Watching(api, { silentMs: 100 });
  api.instead.push((query, response) => isWatch(query) && response.flushHeaders());
  await watching.until(() => api.watches === 1);
  api.put(pod(0));
  await watching.untilKnown('0');
});

test('a watch that says nothing while somebody misses a pod is begun again at once', limit, async () => {
  await using api = await StandInApi.start();
  await using watching = new Watching(api, { missedMs: 0 });
  api.instead.push((query, response) => isWatch(query) && response.flushHeaders());
  await watching.until(() => api.questions.some(isWatch) && watching.watch.isPromising);
  api.put(pod(0));
  while (watching.label(0) === null) {
    watching.watch.missed();
    await delay(20);
  }
});

test('the token is read again, and goes to no server of another authority', limit, async () => {
  await using api = await StandInApi.start();
  api.put(pod(0));
  await using watching = new Watching(api);
  await watching.until(() => api.watches === 1);
  api.token = 'token-2';
  api.drop();
  await watching.until(() => api.refused > 2);
  api.mountToken('token-2');
  await watching.until(() => api.watches === 1);
  const own = readFileSync(`${api.account}/ca.crt`, 'utf8');
  using other = new Authority();
  api.mountAuthority(readFileSync(other.certificate.cert, 'utf8'));
  const asked = api.questions.length;
  api.drop();
  await watching.until(() => watching.waits.length > 5);
  assert.equal(api.questions.length, asked);
  api.mountAuthority(own);
  api.put(pod(1));
  await watching.untilKnown('0', '1');
});

test('where nobody is, nothing is promised, and closing does not wait', limit, async () => {
  await using api = await StandInApi.start();
  await api.stop();
  await using watching = new Watching(api, { promisingMs: 0 });
  await watching.until(() => watching.told.length > 0 && watching.waits.length > 3);
  assert.equal(watching.watch.isPromising, false);
  assert.deepEqual(
    watching.told.map(({ event }) => event),
    ['kubernetes_api_unavailable'],
  );
});
