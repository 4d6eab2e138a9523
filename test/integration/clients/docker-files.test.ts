// Twenty real containers with Docker's default driver, json-file, which rotates and compresses their logs: every line
// is held once, though the collector is killed ten times, and containers are removed as soon as their lines are held.
// With SLUICE_TEST_DOCKERD, a command, the daemon is ended and started again in the middle: `COMMAND stop`, then
// `COMMAND start`.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Collector } from '#test/forwarder/collect/files/collecting-process.ts';
import { image, whyNoContainers } from '../parts/container.ts';

const CONTAINERS = 20;
const BATCHES = 10;
const KILLS = 10;
const BATCH_LINES = Number(process.env['SLUICE_TEST_DOCKER_LINES'] ?? 50);
/** Docker cuts it once. */
const LONG_BYTES = 20_000;

const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();

function whyNot(): string | null {
  const reason = whyNoContainers();
  if (reason !== null) return reason;
  try {
    fs.readdirSync(containersFolder());
    return null;
  } catch {
    return "the daemon's folder cannot be read";
  }
}

function containersFolder(): string {
  return join(docker('info', '--format', '{{.DockerRootDir}}'), 'containers');
}

const skipped = whyNot();

/** Numbered lines of both streams with pauses between them, and a long one at the end of each batch. */
const script = (name: string): string => `
  b=0; while [ $b -lt ${BATCHES} ]; do
    seq 1 ${BATCH_LINES} | awk -v b=$b '{ print "${name} out " b " " $1 }'
    seq 1 ${BATCH_LINES} | awk -v b=$b '{ print "${name} err " b " " $1 }' >&2
    echo "${name} long $b $(seq 1 9000 | tr -d '\\n' | head -c ${LONG_BYTES})"
    b=$((b + 1)); sleep 0.5
  done`;

test('json-file of real containers', { skip: skipped ?? false, timeout: 300_000 }, async (context) => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-docker-'));
  const prefix = `sluice-test-${process.pid}`;
  const collector = new Collector(folder, `docker:${containersFolder()}`);
  const names = Array.from({ length: CONTAINERS }, (_, n) => `${prefix}-${n}`);
  /** Whole lines of a container that are held. A long one comes in two parts, of which the second has no name. */
  const heldOf = (name: string): Map<string, number> =>
    new Map([...collector.held().texts].filter(([text]) => text.startsWith(`${name} `)));
  /** All; but a daemon that ends has lines in hand that it writes to no file. */
  const wantedOf = (name: string): number => {
    const all = BATCHES * (2 * BATCH_LINES + 1);
    if (process.env['SLUICE_TEST_DOCKERD'] === undefined) return all;
    if (docker('inspect', '--format', '{{.State.Status}}', name) !== 'exited') return all;
    const { stdout, stderr } = spawnSync('docker', ['logs', name], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return `${stdout}${stderr}`.split('\n').filter((line) => line.startsWith(`${name} `)).length;
  };
  try {
    await collector.start();
    const started = names.map((name) => {
      const rotation = ['--log-opt', 'max-size=20k', '--log-opt', 'max-file=50', '--log-opt', 'compress=true'];
      return docker('run', '-d', '--network=none', '--name', name, ...rotation, image, 'sh', '-c', script(name));
    });
    assert.equal(new Set(started).size, CONTAINERS);
    for (let kills = 0; kills < KILLS; kills += 1) {
      await delay(400);
      await collector.kill();
      if (kills === 4) restartDaemon();
      await collector.start();
    }
    const left = new Set(names);
    for (let tries = 0; left.size > 0; tries += 1) {
      assert.ok(tries < 1200, `${left.size} containers lack lines: ${collector.told.join('').slice(-4000)}`);
      for (const name of left) {
        if (heldOf(name).size < wantedOf(name)) continue;
        docker('rm', '-f', name);
        left.delete(name);
      }
      await delay(100);
    }
    for (const name of names)
      assert.deepEqual(
        [...heldOf(name)].filter(([, count]) => count > 1),
        [],
        name,
      );
    const { count, repeats } = collector.held();
    context.diagnostic(`${count} events, ${repeats} read again, ${KILLS} kills`);
  } finally {
    await collector.kill();
    spawnSync('docker', ['rm', '-f', ...names]);
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

function restartDaemon(): void {
  const command = process.env['SLUICE_TEST_DOCKERD'];
  if (command === undefined) return;
  for (const what of ['stop', 'start']) assert.equal(spawnSync(command, [what], { stdio: 'inherit' }).status, 0, what);
}
