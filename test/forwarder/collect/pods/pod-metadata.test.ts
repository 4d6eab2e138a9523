// Lines of pods with what the Kubernetes API says of them: right for every line, whatever the API does meanwhile; no
// line waits longer than a second, and its name is the same with and without.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { KnownPods } from '#forwarder/collect/pods/known-pods.ts';
import { PodMetadata, type PodSource, WAIT_MS_MAX } from '#forwarder/collect/pods/pod-metadata.ts';
import { PodTelemetry } from '#forwarder/collect/pods/telemetry.ts';
import { openPods } from '#forwarder/collect/pods/open-pods.ts';
import type { PodWatch } from '#forwarder/collect/pods/pod-watch.ts';
import { podRule } from '#forwarder/collect/sources/pod-logs.ts';
import { knownPodOf } from '#forwarder/decode/kubernetes/pod-object.ts';
import { podPathOf } from '#forwarder/decode/containers/pod-path.ts';
import { systemClock } from '#shared/clock.ts';
import type { KubernetesRule } from '#shared/config/settings/container-rules.ts';
import { Metrics } from '#shared/metrics.ts';
import { PodTree, TIME, uid } from '../containers/pod-tree.ts';
import { FileWorld } from '../files/file-world.ts';
import { podObject } from '../../decode/kubernetes/pod-objects.ts';
import { fail, isWatch, StandInApi } from './stand-in-api.ts';

const limit = { timeout: 60_000 };
const nowMs = (): number => performance.now();

class PodWorld extends FileWorld {
  readonly tree = new PodTree(this.path('pods'));
  readonly #watches: PodWatch[] = [];

  collect(api: StandInApi | null, rule: KubernetesRule = {}, dataDir = this.dataDir): ReturnType<FileWorld['start']> {
    const tell = (event: string, about: object = {}): void => void this.told.push({ event, ...about });
    const metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
    const log = { debug: tell, info: tell, warn: tell, error: tell };
    const newTelemetry = (known: () => number): PodTelemetry => new PodTelemetry(metrics, log, known);
    const place = api?.place ?? null;
    const watch = openPods({ rule, node: 'node-1', place, clock: systemClock, dataDir, newTelemetry });
    if (watch !== null) this.#watches.push(watch);
    const source = watch === null ? null : { source: watch, nowMs };
    return this.start(podRule({ path: this.tree.path, ...rule }, 'node-1', source), { dataDir });
  }

  /** By text: the label `n` of its pod, at each time that it came. */
  labels(): Map<string, (string | null)[]> {
    return new Map(
      [...this.intake.held].map(([name, record]) => [
        String(record['message'] ?? record['log']),
        (this.intake.metadata.get(name) ?? []).map((metadata) => labelOf(metadata)),
      ]),
    );
  }

  async closeWatches(): Promise<void> {
    await Promise.all(this.#watches.splice(0).map((watch) => watch.close()));
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.closeWatches();
    await super[Symbol.asyncDispose]();
  }
}

function labelOf(metadata: Record<string, unknown> | null): string | null {
  const { labels } = (metadata?.['kubernetes'] ?? {}) as { labels?: Record<string, string> };
  return labels?.['n'] ?? null;
}

const folderOf = (n: number): string => `shop_web-${n}_${uid(n)}`;
const specOf = (n: number) => ({ name: `web-${n}`, uid: uid(n), labels: { n: String(n) } });

test('every line of every pod has its labels, while watches drop and the API fails', limit, async () => {
  await using api = await StandInApi.start();
  await using world = new PodWorld();
  world.collect(api);
  const expected = new Map<string, (string | null)[]>();
  for (let n = 0; n < 20; n += 1) {
    if (n % 5 === 1) {
      await world.until(() => api.watches === 1);
      api.tell('{"type":"MODIFIED","object":{"metadata":{"resourc');
      api.drop();
    }
    if (n % 5 === 2) api.instead.push((_query, response) => fail(response, 500, 'not now'));
    if (n % 5 === 3) api.instead.push((query, response) => isWatch(query) && fail(response, 410, 'gone'));
    api.put(specOf(n));
    world.tree.line(folderOf(n), { between: true });
    world.tree.line(folderOf(n), { parts: 2 });
    for (const text of world.tree.texts.keys()) if (!expected.has(text)) expected.set(text, [String(n)]);
    await world.untilLines(expected.size);
    // A pod that lives for a moment: what it wrote is read, and its labels are known, when it is gone from both.
    if (n % 3 === 0) {
      api.remove(uid(n));
      world.tree.line(folderOf(n));
      for (const text of world.tree.texts.keys()) if (!expected.has(text)) expected.set(text, [String(n)]);
      await world.untilLines(expected.size);
      world.tree.remove(folderOf(n));
    }
  }
  assert.deepEqual(world.labels(), expected);
});

test('what comes late is on the lines that are read later', limit, async () => {
  await using api = await StandInApi.start();
  await using world = new PodWorld();
  world.collect(api);
  world.tree.line(folderOf(1));
  await world.untilLines(1);
  await world.until(() => api.watches === 1);
  api.put(specOf(1));
  // Until the watch has told it.
  for (let lines = 2; ; lines += 1) {
    world.tree.line(folderOf(1));
    await world.untilLines(lines);
    const labels = [...world.labels().values()].flat();
    assert.equal(labels[0], null);
    if (labels.at(-1) === '1') break;
  }
});

test('lines have the same names, whatever is known of their pod', limit, async () => {
  await using api = await StandInApi.start();
  await using world = new PodWorld();
  world.tree.line(folderOf(1), { parts: 3, between: true });
  writeFileSync(world.tree.file(folderOf(2)), `no line of a runtime\n${TIME} stdout F c\n`);
  const without = world.collect(null);
  await world.untilLines(8);
  await without[Symbol.asyncDispose]();
  for (const [n, label] of ['a', 'b'].entries()) {
    for (const pod of [1, 2]) api.put({ ...specOf(pod), labels: { n: label } });
    const entries = world.intake.entries;
    const running = world.collect(api, {}, world.path(`data-${n}`));
    await world.until(() => world.intake.entries === entries + 8);
    await running[Symbol.asyncDispose]();
  }
  assert.equal(world.intake.held.size, 8);
  for (const labels of world.labels().values()) assert.deepEqual(labels, [null, 'a', 'b']);
});

test('what was known is known after a restart while nobody answers, until somebody does', limit, async () => {
  await using api = await StandInApi.start();
  await using world = new PodWorld();
  api.put(specOf(1));
  const before = world.collect(api);
  await world.until(() => api.watches === 1);
  world.tree.line(folderOf(1));
  await world.untilLines(1);
  await before[Symbol.asyncDispose]();
  await world.closeWatches();
  const file = join(world.dataDir, 'collect/pods.json');
  const kept = readFileSync(file, 'utf8');
  const again = async (lines: number, rule: KubernetesRule = {}): Promise<string | null> => {
    const running = world.collect(api, rule);
    world.tree.line(folderOf(1));
    await world.untilLines(lines);
    await running[Symbol.asyncDispose]();
    await world.closeWatches();
    return [...world.labels().values()].flat().at(-1) ?? null;
  };
  for (let questions = 0; questions < 50; questions += 1)
    api.instead.push((_query, response) => fail(response, 503, 'no'));
  assert.equal(await again(2), '1');
  // Nothing new was heard: it is there still.
  assert.equal(await again(3), '1');
  // For other labels, or damaged, it says nothing.
  assert.equal(await again(4, { labels: ['m'] }), null);
  for (const damaged of [kept.slice(0, -9), kept.replace('"uid"', '"other"')]) {
    writeFileSync(file, damaged);
    assert.equal(await again(world.intake.held.size + 1), null);
  }
  // What is there now is what the API says.
  writeFileSync(file, kept);
  api.instead.length = 0;
  api.put({ ...specOf(1), labels: { n: 'now' } });
  assert.equal(await again(world.intake.held.size + 1), 'now');
});

test('where nobody answers, lines go with their paths alone', limit, async () => {
  await using api = await StandInApi.start();
  await api.stop();
  for (const metadata of ['auto', 'api'] as const) {
    await using world = new PodWorld();
    world.collect(api, { metadata });
    world.tree.line(folderOf(1));
    await world.untilLines(1);
    assert.deepEqual([...world.labels().values()], [[null]]);
  }
});

test('whether the API is asked', () => {
  const check = (rule: KubernetesRule, api: StandInApi | null, told: string | undefined): void => {
    const events: string[] = [];
    const tell = (event: string): void => void events.push(event);
    const log = { debug: tell, info: tell, warn: tell, error: tell };
    const newTelemetry = (known: () => number): PodTelemetry => new PodTelemetry(metrics, log, known);
    const metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
    const place = api?.place ?? null;
    const common = { node: 'node-1', clock: systemClock, dataDir: '/nowhere' };
    assert.equal(openPods({ rule, place, newTelemetry, ...common }), null);
    assert.equal(events[0], told);
  };
  check({}, null, undefined);
  check({ metadata: 'path' }, null, undefined);
  check({ metadata: 'api' }, null, 'kubernetes_api_unused');
  check({}, { place: { host: 'a', port: 1, account: '/nowhere' } } as StandInApi, undefined);
});

test('how long first lines wait', () => {
  const path = podPathOf(`/pods/shop_web-1_${uid(1)}/app/0.log`);
  const pod = knownPodOf(podObject(specOf(1)), { node: 'node-1', isLabel: () => true, isAnnotation: () => true });
  assert.ok(path !== null && pod !== null);
  const known = new KnownPods(systemClock);
  let ms = 5000;
  let missed = 0;
  const source: PodSource & { isPromising: boolean } = { known, isPromising: true, missed: () => (missed += 1) };
  const waiting = new PodMetadata(source, path, () => ms);
  let asked = 0;
  for (let wait = waiting.waitMs(); wait > 0; wait = waiting.waitMs()) {
    asked += 1;
    ms += wait;
  }
  assert.deepEqual([ms - 5000, missed], [WAIT_MS_MAX, 1]);
  assert.ok(asked < 12, 'ten thousand files wait at once');
  assert.equal(waiting.waitMs(), 0, 'once');
  const other = new PodMetadata(source, path, () => ms);
  assert.ok(other.waitMs() > 0);
  source.isPromising = false;
  assert.equal(other.waitMs(), 0);
  source.isPromising = true;
  assert.equal(other.waitMs(), 0);
  const third = new PodMetadata(source, path, () => ms);
  assert.ok(third.waitMs() > 0);
  known.put(pod);
  assert.equal(third.waitMs(), 0);
  assert.notEqual(third.packed(), null);
});

test('pods that are gone are forgotten, the longest gone first, and no pod is found by its uid alone', () => {
  let ms = 0;
  const known = new KnownPods({ ...systemClock, monotonicMs: () => ms });
  const wants = { node: 'node-1', isLabel: () => true, isAnnotation: () => true };
  const isKnown = (n: number, name = `web-${n}`): boolean => {
    const path = podPathOf(`/pods/shop_${name}_${uid(n)}/app/0.log`);
    return path !== null && known.of(path) !== null;
  };
  for (let n = 0; n < 3000; n += 1) {
    const pod = knownPodOf(podObject(specOf(n)), wants);
    if (pod !== null) known.put(pod);
    known.removed(uid(n));
  }
  assert.deepEqual([isKnown(2999), isKnown(1000), isKnown(999), known.count], [true, true, false, 0]);
  assert.equal(isKnown(2999, 'web-1'), false);
  const again = knownPodOf(podObject(specOf(2999)), wants);
  if (again !== null) known.put(again);
  ms = 3_600_000;
  known.replace(new Map());
  assert.deepEqual([isKnown(2998), isKnown(2999), known.count], [false, true, 0]);
});
