// Logs of Docker's `local` driver from the daemon's own files: rotated, compressed, torn, and read by collectors that
// end and begin again. Each line is there once, and damage is told.

import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { dockerRule } from '#forwarder/collect/sources/docker-logs.ts';
import { type LocalEntry, localRecord } from '#test/forwarder/decode/containers/local-log.ts';
import { FileWorld, type Running } from '../files/file-world.ts';
import { DockerTree } from './docker-tree.ts';

/** A container's log, and what the daemon does to it. */
class LocalLog {
  readonly file: string;

  constructor(tree: DockerTree, name: string) {
    tree.create(name, { logs: 'on' });
    fs.rmSync(tree.file(name));
    this.file = join(dirname(tree.file(name)), 'local-logs/container.log');
    fs.mkdirSync(dirname(this.file));
    fs.writeFileSync(this.file, '');
  }

  log(...entries: (string | LocalEntry)[]): void {
    for (const entry of entries) this.write(localRecord(typeof entry === 'string' ? { text: entry } : entry));
  }

  write(bytes: Buffer): void {
    fs.appendFileSync(this.file, bytes);
  }

  /** As the daemon does with `compress=true`, its default. */
  rotate(): void {
    for (let n = 8; n >= 1; n -= 1) {
      if (fs.existsSync(`${this.file}.${n}.gz`)) fs.renameSync(`${this.file}.${n}.gz`, `${this.file}.${n + 1}.gz`);
    }
    fs.renameSync(this.file, `${this.file}.1`);
    fs.writeFileSync(this.file, '');
  }

  compress(): void {
    fs.writeFileSync(`${this.file}.1.gz`, gzipSync(fs.readFileSync(`${this.file}.1`)));
    fs.unlinkSync(`${this.file}.1`);
  }
}

function start(world: FileWorld, tree: DockerTree): Running {
  return world.start(dockerRule({ path: tree.path, exclude: ['label:logs=off'] }, 'node-1'));
}

const told = (world: FileWorld, event: string): number => world.told.filter((one) => one.event === event).length;

test('what an event of a container says', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  const web = new LocalLog(tree, 'web');
  web.log({ text: 'a', stream: 'stderr' });
  // The daemon's copy of what another driver sends: that comes by itself.
  fs.writeFileSync(join(dirname(tree.file('web')), 'container-cached.log'), localRecord({ text: 'cached' }));
  start(world, tree);
  await world.untilLines(1);
  web.log('b');
  assert.deepEqual(await world.untilLines(2), ['a', 'b']);
  assert.deepEqual(world.intake.held.values().next().value, {
    message: 'a',
    stream: 'stderr',
    'log.file.path': web.file,
    'host.name': 'node-1',
    'container.id': tree.id('web'),
    'container.name': 'web',
    'container.image.name': 'busybox:1',
    'container.labels': { logs: 'on' },
  });
  assert.deepEqual([...world.intake.tags], ['docker.web']);
});

test('rotated and compressed, while somebody reads and while nobody does', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  const web = new LocalLog(tree, 'web');
  const lines = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `line ${from + n}`);
  let written = 0;
  const more = (): void => web.log(...lines(written, (written += 50)));
  more();
  for (let round = 0; round < 3; round += 1) {
    const running = start(world, tree);
    await world.untilLines(written);
    more();
    web.rotate();
    more();
    web.compress();
    await world.untilLines(written);
    await running[Symbol.asyncDispose]();
    // Half a record at the end of what was read.
    const half = localRecord({ text: `line ${written}` });
    web.write(half.subarray(0, 20));
    const meanwhile = start(world, tree);
    await world.until(() => told(world, 'collecting_files') === 2 * round + 2);
    await meanwhile[Symbol.asyncDispose]();
    web.write(half.subarray(20));
    written += 1;
    more();
    web.rotate();
    web.compress();
    more();
  }
  start(world, tree);
  await world.untilLines(written);
  assert.deepEqual(world.intake.lines.toSorted(), lines(0, written).toSorted());
  assert.deepEqual([told(world, 'lines_malformed'), told(world, 'file_content_lost')], [0, 0]);
  // The last of what they hold is what was written.
  assert.ok(gunzipSync(fs.readFileSync(`${web.file}.1.gz`)).length > 0);
});

test('a record that is torn costs no other one, and is told', { timeout: 60_000 }, async () => {
  await using world = new FileWorld();
  const tree = new DockerTree(world.path('containers'));
  const [quiet, busy, rotated] = ['quiet', 'busy', 'rotated'].map((name) => new LocalLog(tree, name));
  assert.ok(quiet && busy && rotated);
  const torn = localRecord({ text: 'x'.repeat(16_000) }).subarray(0, 100);
  // The daemon was killed; what comes then is less than the record says that it has.
  quiet.log('1');
  quiet.write(torn);
  quiet.log('2');
  busy.write(torn);
  busy.log(...Array.from({ length: 500 }, (_, n) => `busy ${n}`));
  rotated.log('3');
  rotated.write(torn);
  rotated.rotate();
  rotated.log('4');
  const running = start(world, tree);
  await world.untilLines(507);
  rotated.compress();
  await running[Symbol.asyncDispose]();
  start(world, tree);
  rotated.log('5');
  quiet.log('6');
  await world.untilLines(509);
  const lines = world.intake.lines.filter((line) => !line.startsWith('busy') && !line.includes('stdout'));
  assert.deepEqual(lines.toSorted(), ['1', '2', '3', '4', '5', '6']);
  assert.equal(world.intake.lines.filter((line) => line.includes('xxx')).length, 3);
  assert.equal(told(world, 'lines_malformed'), 3);
});
