// Logs of pods by the path of their files alone: what their events say, which of them are wanted, and what somebody may
// have put there who wants to see more than the logs.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { contentOf, generationOfGzip } from '#forwarder/collect/files/file-content.ts';
import { openRegular } from '#forwarder/collect/files/file-identity.ts';
import { podRule } from '#forwarder/collect/sources/pod-logs.ts';
import type { KubernetesRule } from '#shared/config/settings/container-rules.ts';
import { FileWorld } from '../files/file-world.ts';
import { PodTree, TIME, uid } from './pod-tree.ts';

const WEB = `shop_web-1_${uid(1)}`;
const STATIC = `kube-system_etcd-node-1_${'9b2c0f5a'.repeat(4)}`;

function started(world: FileWorld, rule: KubernetesRule = {}): PodTree {
  const tree = new PodTree(world.path('pods'));
  world.start(podRule({ path: tree.path, ...rule }, 'node-1'));
  return tree;
}

/** `namespace pod container restarts stream text` of each event. */
function shown(world: FileWorld): string[] {
  return [...world.intake.held.values()]
    .map((record) => {
      const of = ['kubernetes.namespace', 'kubernetes.pod.name', 'kubernetes.container.name'];
      const names = [...of, 'k8s.container.restart_count', 'stream'].map(
        (name) => (record[name] as string | undefined) ?? '?',
      );
      return `${names.join(' ')}: ${String(record['message'] ?? record['log'])}`;
    })
    .toSorted();
}

test('what an event of a pod says', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new PodTree(world.path('pods'));
  const file = tree.file(WEB);
  fs.writeFileSync(file, `${TIME} stdout F a\n${TIME} stderr F b\n`);
  fs.writeFileSync(tree.file(STATIC, 'etcd'), `${TIME} stdout F c\n`);
  fs.writeFileSync(tree.file(WEB, 'init-db'), `${TIME} stdout F d\n`);
  fs.writeFileSync(join(tree.folder(WEB), '3.log'), `${TIME} stdout F e\n`);
  fs.writeFileSync(tree.file('no pod'), 'f\n');
  world.start(podRule({ path: tree.path }, 'node-1'));
  await world.untilLines(6);
  assert.deepEqual(shown(world), [
    '? ? ? ? ?: f',
    'kube-system etcd-node-1 etcd 0 stdout: c',
    'shop web-1 app 0 stderr: b',
    'shop web-1 app 0 stdout: a',
    'shop web-1 app 3 stdout: e',
    'shop web-1 init-db 0 stdout: d',
  ]);
  const record = [...world.intake.held.values()].find(({ message }) => message === 'a');
  assert.equal(record?.['kubernetes.pod.uid'], uid(1));
  assert.equal(record?.['log.file.path'], file);
  assert.equal(record?.['host.name'], 'node-1');
  assert.deepEqual(world.told.filter(({ event }) => event !== 'collecting_files').map(({ event }) => event), [
    'lines_malformed',
  ]); // prettier-ignore
  for (const tag of ['kubernetes.shop.web-1.app', 'kubernetes.shop.web-1.init-db']) {
    assert.ok(world.intake.tags.has(tag), tag);
  }
});

test('which pods are wanted', { timeout: 60_000 }, async () => {
  const check = async (rule: KubernetesRule, expected: string): Promise<void> => {
    await using world = new FileWorld();
    const tree = new PodTree(world.path('pods'));
    for (const pod of ['shop_web-1', 'shop_db', 'kube-system_web-1', 'shop-2_web']) {
      for (const name of ['app', 'proxy']) {
        fs.writeFileSync(tree.file(`${pod}_${uid(1)}`, name), `${TIME} stdout F ${pod}/${name}\n`);
      }
    }
    world.start(podRule({ path: tree.path, ...rule }, 'node-1'));
    await world.untilLines(expected.split(' ').length);
    assert.equal(world.intake.lines.toSorted().join(' '), expected);
  };
  await check({ include: ['shop'] }, 'shop_db/app shop_db/proxy shop_web-1/app shop_web-1/proxy');
  await check({ include: ['shop/web-*'] }, 'shop_web-1/app shop_web-1/proxy');
  await check({ include: ['*/web*/app'] }, 'kube-system_web-1/app shop-2_web/app shop_web-1/app');
  await check({ exclude: ['shop*', '*/*/proxy'] }, 'kube-system_web-1/app');
});

test('a pod that lives a moment is read to its end', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = started(world);
  await world.until(() => world.told.some(({ event }) => event === 'collecting_files'));
  for (let n = 0; n < 5; n += 1) {
    const pod = `jobs_job-${n}_${uid(n)}`;
    for (let lines = 0; lines < 100; lines += 1) tree.line(pod, { between: true });
    await world.until(() => world.intake.lines.some((text) => text.startsWith(pod)));
    // Its files go as soon as they are open, and its last lines come then.
    const late = fs.openSync(tree.file(pod), 'a');
    tree.remove(pod);
    fs.writeSync(late, `${TIME} stdout F ${pod} the end\n`);
    fs.closeSync(late);
    tree.texts.set(`${pod} the end`, 1);
  }
  await world.untilLines(tree.texts.size);
  assert.deepEqual(world.intake.lines.toSorted(), [...tree.texts.keys()].toSorted());
});

test('no link leads out of the folder', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const secret = world.path('secret.log');
  fs.writeFileSync(secret, 'a secret\n');
  fs.mkdirSync(world.path('secrets/app'), { recursive: true });
  fs.writeFileSync(world.path('secrets/app/0.log'), 'a secret\n');
  const tree = new PodTree(world.path('pods'));
  fs.symlinkSync(secret, tree.file(WEB));
  fs.symlinkSync(secret, `${tree.file(WEB)}.20261120-101010`);
  fs.symlinkSync(world.path('secrets'), join(tree.path, STATIC));
  fs.symlinkSync(world.path('secrets/app'), join(tree.path, WEB, 'linked'));
  fs.mkdirSync(join(tree.folder(WEB, 'odd'), '0.log'));
  fs.writeFileSync(tree.file(WEB, 'fine'), `${TIME} stdout F fine\n`);
  world.start(podRule({ path: tree.path }, 'node-1'));
  await world.until(() => world.told.some(({ event, links }) => event === 'link_not_followed' && Number(links) >= 4));
  assert.deepEqual(await world.untilLines(1), ['fine']);
});

test('no link leads out of the folder where the pattern names it', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  fs.mkdirSync(world.path('secrets'));
  fs.writeFileSync(world.path('secrets/0.log'), 'a secret\n');
  // The folder of pods itself may be a link, which its operator has made.
  fs.symlinkSync(world.path('real'), world.path('pods'));
  fs.mkdirSync(world.path('real'));
  const tree = new PodTree(world.path('pods'));
  fs.mkdirSync(join(tree.path, WEB));
  fs.symlinkSync(world.path('secrets'), join(tree.path, WEB, 'app'));
  fs.writeFileSync(tree.file(STATIC), `${TIME} stdout F fine\n`);
  world.start(podRule({ path: tree.path, include: ['*/*/app'] }, 'node-1'));
  await world.until(() => world.told.some(({ event }) => event === 'link_not_followed'));
  assert.deepEqual(await world.untilLines(1), ['fine']);
});

test('no folder that is a link for a moment leads out of the folder', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  fs.mkdirSync(world.path('secrets'));
  const tree = new PodTree(world.path('pods'));
  const app = tree.folder(WEB);
  for (const [folder, text] of [
    [world.path('secrets'), 'a secret'],
    [app, 'own'],
  ] as const) {
    fs.writeFileSync(join(folder, '0.log'), `${text}\n`);
    fs.writeFileSync(join(folder, '0.log.1.gz'), gzipSync(`${text}\n`));
  }
  const root = tree.path;
  const { signal } = new AbortController();
  const read = async (name: string): Promise<string> => {
    const compression = name.endsWith('.gz') ? 'gzip' : null;
    const { head } = await contentOf(join(app, name), { root, compression, generations: [], signal });
    return Buffer.from(head).toString();
  };
  assert.deepEqual([await read('0.log'), await read('0.log.1.gz')], ['own\n', 'own\n']);
  // As it is between two looks.
  fs.renameSync(app, `${app}-own`);
  fs.symlinkSync(world.path('secrets'), app);
  for (const name of ['0.log', '0.log.1.gz']) await assert.rejects(read(name), /leads out of/);
  await assert.rejects(generationOfGzip(join(app, '0.log.1.gz'), { root, generations: [] }), /leads out of/);
  await assert.rejects(openRegular(join(app, '0.log'), { root }), /leads out of/);
});

test('a line that is left open is not lost, nor read again for ever', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = started(world);
  tree.line(WEB);
  tree.openLine(WEB);
  await world.untilLines(2);
  tree.remove(WEB);
  // 5 s after its last byte the file is closed.
  await world.until(() => [...world.running].every((input) => input.figures.open === 0));
  await world.until(() => true);
  assert.equal(
    world.told.find(({ event }) => event === 'file_content_lost'),
    undefined,
  );
});

test(
  'names by position: without checkpoints, and after each way to rotate, the same',
  { timeout: 60_000 },
  async () => {
    await using world = new FileWorld();
    const tree = new PodTree(world.path('pods'));
    const rule = podRule({ path: tree.path }, 'node-1');
    tree.line(WEB, { parts: 3, between: true });
    tree.rotate(WEB);
    tree.line(WEB, { parts: 2 });
    tree.rotate(WEB);
    tree.line(WEB);
    await using first = world.start(rule);
    await world.untilLines(tree.texts.size);
    await first[Symbol.asyncDispose]();
    tree.compress(WEB);
    world.start(rule, { dataDir: world.path('data-2') });
    tree.line(WEB);
    await world.untilLines(tree.texts.size);
    assert.deepEqual(world.intake.lines.toSorted(), [...tree.texts.keys()].toSorted());
  },
);
