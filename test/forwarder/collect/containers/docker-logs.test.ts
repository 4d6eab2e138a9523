// Logs of Docker's containers from the daemon's own files: what their events say, which are wanted, and that each line
// is there once, whatever becomes of the container meanwhile.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DockerRule } from '#shared/config/settings/container-rules.ts';
import { dockerRule } from '#forwarder/collect/sources/docker-logs.ts';
import { FileWorld, type Running } from '../files/file-world.ts';
import { DockerTree, jsonLine, PART } from './docker-tree.ts';

function start(world: FileWorld, tree: DockerTree, rule: DockerRule = {}): Running {
  return world.start(dockerRule({ path: tree.path, ...rule }, 'node-1'));
}

test('what an event of a container says', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  tree.create('web', { 'com.docker.compose.service': 'shop' });
  tree.log('web', 'a\n', PART, 'c\n');
  start(world, tree);
  assert.deepEqual(await world.untilLines(3), ['a', PART, 'c']);
  const [a, b, c] = [...world.intake.held.values()];
  assert.deepEqual(a, {
    message: 'a',
    stream: 'stdout',
    'log.file.path': tree.file('web'),
    'host.name': 'node-1',
    'container.id': tree.id('web'),
    'container.name': 'web',
    'container.image.name': 'busybox:1',
    'container.labels': { 'com.docker.compose.service': 'shop' },
  });
  const parts = [b, c].map((part) => [part?.['partial_ordinal'], part?.['partial_last']]);
  assert.deepEqual(parts, [['1', 'false'], ['2', 'true']]); // prettier-ignore
  assert.equal(b?.['partial_id'], c?.['partial_id']);
  assert.deepEqual([...world.intake.tags], ['docker.web']);
});

test('which containers are wanted, and with which labels', { timeout: 60_000 }, async () => {
  const check = async (rule: DockerRule, expected: string): Promise<void> => {
    await using world = new FileWorld();
    const tree = new DockerTree(world.path('containers'));
    for (const [name, labels] of [
      ['web-1', { logs: 'on', 'app.kubernetes.io/name': 'web' }],
      ['web-2', { logs: 'off' }],
      ['db', { quiet: '.hidden-off' }],
    ] as const) {
      tree.create(name, labels);
      tree.log(name, `${name}\n`);
    }
    start(world, tree, rule);
    await world.untilLines(expected.split(' ').length);
    const shown = [...world.intake.held.values()].map((record) => {
      const labels = Object.keys((record['container.labels'] as object | undefined) ?? {});
      return [record['message'], ...labels].join(',');
    });
    assert.equal(shown.toSorted().join(' '), expected);
  };
  const all = 'db,quiet web-1,app.kubernetes.io/name,logs web-2,logs';
  await check({}, all);
  await check({ include: ['web-*'], labels: [] }, 'web-1 web-2');
  await check({ include: ['label:logs=on'], labels: ['app.*'] }, 'web-1,app.kubernetes.io/name');
  await check({ include: ['label:app.kubernetes.io/*', 'db'], labels: [] }, 'db web-1');
  await check({ exclude: ['label:logs=off', 'db'], labels: ['logs'] }, 'web-1,logs');
  await check({ exclude: ['label:quiet=*off'], labels: ['app*'] }, 'web-1,app.kubernetes.io/name web-2');
  await check({ include: ['label:logs'], exclude: ['label:logs=o[!n]*'], labels: [] }, 'web-1');
});

test(
  'a container that is not known is not taken for one that is wanted, and is told',
  { timeout: 60_000 },
  async () => {
    await using world = new FileWorld();
    const tree = new DockerTree(world.path('containers'));
    const fifos = ['fifo-1', 'fifo-2', 'fifo-3', 'fifo-4', 'fifo-5'];
    for (const name of ['torn', 'none', 'linked', 'long', 'web', ...fifos]) {
      tree.create(name);
      tree.log(name, `${name}\n`);
    }
    const config = (name: string): string => join(tree.path, tree.id(name), 'config.v2.json');
    fs.writeFileSync(config('torn'), '{"Name":"/torn","Con');
    fs.rmSync(config('none'));
    fs.truncateSync(config('long'), 2 ** 33);
    // More than there are threads that read files.
    for (const name of fifos) {
      fs.rmSync(config(name));
      execFileSync('mkfifo', [config(name)]);
    }
    fs.renameSync(config('linked'), world.path('elsewhere'));
    fs.symlinkSync(world.path('elsewhere'), config('linked'));
    start(world, tree, { exclude: ['label:logs=off'] });
    await world.until(() => world.told.filter(({ event }) => event === 'file_unreadable').length === 9);
    assert.deepEqual(await world.untilLines(1), ['web']);
    // Known after all.
    tree.create('torn');
    assert.deepEqual(await world.untilLines(2), ['web', 'torn']);
  },
);

test('a container that is renamed keeps the names of its lines', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  tree.create('web');
  tree.log('web', 'a\n', PART);
  await using first = start(world, tree);
  await world.untilLines(2);
  await first[Symbol.asyncDispose]();
  // The last line is open, and goes on.
  tree.rename('web', 'other');
  tree.log('web', 'c\n', 'd\n');
  start(world, tree);
  assert.deepEqual(await world.untilLines(4), ['a', PART, 'c', 'd']);
  assert.deepEqual(
    new Set([...world.intake.held.values()].map((record) => record['container.name'])),
    new Set(['web']),
  );
  const parts = [...world.intake.held.values()].flatMap((record) => record['partial_id'] ?? []);
  assert.equal(new Set(parts).size, 1);
});

test('what was wanted is read on, whatever becomes of its name and its config', { timeout: 20_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  for (const name of ['web-renamed', 'web-unlabelled', 'web-torn', 'db']) {
    tree.create(name, { logs: 'on' });
    tree.log(name, `${name} 1\n`);
  }
  // The label that decides is none of the kept ones.
  const rule = { include: ['label:logs=on'], exclude: ['db'], labels: [] };
  {
    await using _ = start(world, tree, rule);
    await world.untilLines(3);
  }
  tree.rename('web-renamed', 'db', { logs: 'on' });
  tree.rename('web-unlabelled', 'web-unlabelled');
  fs.rmSync(join(tree.path, tree.id('web-torn'), 'config.v2.json'));
  for (const name of ['web-renamed', 'web-unlabelled', 'web-torn', 'db']) tree.log(name, `${name} 2\n`);
  {
    await using _ = start(world, tree, rule);
    await world.untilLines(6);
  }
  // Another rule: it is decided anew.
  for (const name of ['web-renamed', 'web-unlabelled', 'web-torn', 'db']) tree.log(name, `${name} 3\n`);
  start(world, tree, { ...rule, exclude: ['no-such'] });
  await world.untilLines(10);
  const lines = ['web-renamed 1', 'web-renamed 2', 'web-renamed 3', 'web-unlabelled 1', 'web-unlabelled 2'];
  lines.push('web-torn 1', 'web-torn 2', 'db 1', 'db 2', 'db 3');
  assert.deepEqual(world.intake.lines.toSorted(), lines.toSorted());
});

test('before, with and after the daemon; rotation, removal, torn lines', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  // The daemon's folder is not there yet.
  const path = world.path('docker/containers');
  const running = world.start(dockerRule({ path }, 'node-1'));
  await world.until(() => world.told.some(({ event }) => event === 'collecting_files'));
  const tree = new DockerTree(path);
  tree.create('web');
  tree.log('web', '1\n');
  tree.rotate('web');
  tree.log('web', '2\n');
  await world.untilLines(2);
  await running[Symbol.asyncDispose]();
  // While nobody reads: rotated twice; and the daemon is killed in the middle of a line.
  tree.log('web', '3\n');
  tree.rotate('web');
  tree.log('web', '4\n');
  tree.rotate('web');
  fs.appendFileSync(tree.file('web'), `${jsonLine('torn\n').slice(0, 12)}${jsonLine('5\n')}`);
  tree.create('gone');
  tree.log('gone', '6\n');
  start(world, tree);
  await world.untilLines(7);
  tree.remove('gone');
  tree.log('web', '7\n');
  const lines = await world.untilLines(8);
  assert.deepEqual(lines.toSorted(), ['1', '2', '3', '4', '5', '6', '7', '{"log":"torn'].toSorted());
  assert.equal(
    world.told.find(({ event }) => event === 'file_content_lost'),
    undefined,
  );
});

test('a container that was read as a plain file has its names from then on', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  tree.create('web');
  tree.log('web', 'a\n');
  const plain = world.start({ include: [`${tree.path}/*/*-json.log`] });
  await world.untilLines(1);
  await plain[Symbol.asyncDispose]();
  for (const [n, text] of ['b\n', 'c\n'].entries()) {
    tree.log('web', text);
    const running = start(world, tree);
    await world.untilLines(n + 2);
    await running[Symbol.asyncDispose]();
  }
  const names = [...world.intake.held.values()].map((record) => [record['message'], record['container.name']]);
  assert.deepEqual(names.slice(1), [['b', 'web'], ['c', 'web']]); // prettier-ignore
});

test('a config that cannot be opened now is asked for again', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  tree.create('web');
  tree.log('web', 'a\n');
  let tries = 0;
  const config = fs.readFileSync(join(tree.path, tree.id('web'), 'config.v2.json'), 'utf8');
  world.start(
    dockerRule({ path: tree.path }, 'node-1', () => {
      tries += 1;
      if (tries < 3) return Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
      return Promise.resolve(config);
    }),
  );
  await world.untilLines(1);
  assert.deepEqual([...world.intake.tags], ['docker.web']);
});
