// What very many files, folders and links cost: of time, and of what is told.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { likeliestUnread, headOf } from '#forwarder/collect/files/file-bytes.ts';
import { foundFiles } from '#forwarder/collect/files/found-files.ts';
import type { FoundPath } from '#forwarder/collect/walk/found-path.ts';
import { FileTelemetry } from '#forwarder/collect/files/telemetry.ts';
import { walkEachMs } from '#forwarder/collect/files-input.ts';
import type { SourceRule } from '#forwarder/collect/sources/source-form.ts';
import { Metrics } from '#shared/metrics.ts';
import { FileWorld } from '../files/file-world.ts';

function telemetry(told: string[]): FileTelemetry {
  const tell = (event: string, about: object = {}): void => void told.push(`${event} ${JSON.stringify(about)}`);
  const metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  return new FileTelemetry(metrics, log, () => {
    throw new Error('nobody asks');
  });
}

test('very many links are told of in one line, and very many files not at every walk', () => {
  const told: string[] = [];
  const telling = telemetry(told);
  const paths = Array.from({ length: 1100 }, (_, n) => `/pods/a/${n}.log`);
  for (let walk = 0; walk < 5; walk += 1) {
    telling.linksPassed(paths);
    for (const path of paths) telling.readFailed(path, 'no');
  }
  assert.deepEqual(told[0], 'link_not_followed {"path":"/pods/a/0.log","links":1100}');
  assert.equal(told.length, 1 + 1000);
  const other = telemetry(told);
  told.length = 0;
  other.readFailed('/a', 'no');
  other.malformed('/a', 1);
  other.malformed('/a', 1);
  assert.deepEqual(told.map((line) => line.split(' ')[0]), ['file_unreadable', 'lines_malformed']); // prettier-ignore
});

test('many containers are asked about at once', { timeout: 10_000 }, async () => {
  await using world = new FileWorld();
  const SOURCES = 10;
  let asked = 0;
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const form = {
    root: world.folder,
    facts: async (): Promise<string> => {
      asked += 1;
      if (asked === SOURCES) resolve();
      await all;
      return 'known';
    },
    factsOf: () => {
      throw new Error('nobody asks');
    },
  };
  const rule: SourceRule = { include: [], form };
  const paths = new Map<string, FoundPath>();
  for (let n = 0; n < SOURCES; n += 1) {
    const path = world.path(`${n}.log`);
    fs.writeFileSync(path, 'a');
    paths.set(path, { path, rule, isAsked: true, before: [] });
  }
  const walk = { paths, folders: new Set<string>(), overfull: new Set<string>(), links: [] };
  const isDue = (): boolean => true;
  const found = await foundFiles(walk, { isDue, isSource: () => false, keptOf: () => '', telemetry: telemetry([]) });
  assert.deepEqual(
    found.map(({ path, facts }) => [path, facts]),
    [...paths.keys()].map((path) => [path, 'known']),
  );
});

test('walks come sooner while files wait to be opened', () => {
  const check = (tookMs: number, waiting: number, expectedMs: number): void =>
    assert.equal(walkEachMs(tookMs, waiting), expectedMs);
  check(10, 0, 1000);
  check(10, 5, 1000);
  check(500, 0, 10_000);
  check(500, 5, 2000);
});

test('what is left of a file goes to the generation whose beginning it has', () => {
  const head = Buffer.from('one\ntwo\n');
  const check = (generations: readonly { head: string; size: number }[], expected: number | null): void => {
    const found = likeliestUnread(generations, { size: head.length, head });
    assert.equal(found === null ? null : generations.indexOf(found), expected);
  };
  const empty = { head: '', size: 0 };
  const own = { head: headOf(head.subarray(0, 4)), size: 4 };
  const whole = { head: headOf(head), size: 8 };
  const other = { head: headOf(Buffer.from('other')), size: 5 };
  const larger = { head: headOf(head), size: 9 };
  check([], null);
  check([empty], 0);
  check([empty, own], 1);
  check([empty, own, whole], 2);
  check([other, larger], null);
  check([other, empty], 1);
});
