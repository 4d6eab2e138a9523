// Twenty real containers with Docker's default driver, json-file, and a few with its driver local, which rotate and
// compress their logs: every line that `docker logs` has is held once, though the collector is killed ten times, and
// containers are removed as soon as their lines are held. SLUICE_TEST_DOCKER_LINES=250 makes 100,000 lines of each.
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

const CONTAINERS = { 'json-file': 20, local: process.env['SLUICE_TEST_DOCKER_LINES'] === undefined ? 5 : 20 };
const BATCHES = 10;
const KILLS = 10;
const BATCH_LINES = Number(process.env['SLUICE_TEST_DOCKER_LINES'] ?? 50);
/** Docker cuts it once. */
const LONG_BYTES = 20_000;
const DOCKER_PART_BYTES = 16 * 1024;

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

for (const driver of ['json-file', 'local'] as const) {
  test(`${driver} of real containers`, { skip: skipped ?? false, timeout: 300_000 }, async (context) => {
    const folder = fs.mkdtempSync(join(tmpdir(), 'sluice-docker-'));
    const prefix = `sluice-test-${driver}-${process.pid}`;
    const collector = new Collector(folder, `docker:${containersFolder()}`);
    const names = Array.from({ length: CONTAINERS[driver] }, (_, n) => `${prefix}-${n}`);
    try {
      await collector.start();
      for (const name of names) runContainer(name, driver);
      for (let kills = 0; kills < KILLS; kills += 1) {
        await delay(400);
        await collector.kill();
        if (kills === 4) restartDaemon();
        await collector.start();
      }
      const lines = await heldAndRemoved(collector, names);
      for (const name of names) {
        const doubled = [...heldOf(collector, name)].filter(([, count]) => count > 1);
        assert.deepEqual(doubled, [], name);
      }
      const lost = collector.told.join('').match(/file_content_lost|lines_malformed/g);
      assert.equal(lost, null, collector.told.join('').slice(-4000));
      const { count, repeats } = collector.held();
      context.diagnostic(`${lines} lines, ${count} events, ${repeats} read again, ${KILLS} kills`);
    } finally {
      await collector.kill();
      spawnSync('docker', ['rm', '-f', ...names]);
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
}

function runContainer(name: string, driver: string): void {
  const options = ['max-size=20k', 'max-file=50', 'compress=true'].flatMap((option) => ['--log-opt', option]);
  const named = ['--network=none', '--name', name, `--log-driver=${driver}`, ...options];
  docker('run', '-d', ...named, image, 'sh', '-c', script(name));
}

/** Whole lines of a container that are held. A long one comes in two parts, of which the second has no name. */
function heldOf(collector: Collector, name: string): Map<string, number> {
  return new Map([...collector.held().texts].filter(([text]) => text.startsWith(`${name} `)));
}

/** Removes each container when all that `docker logs` has of it is held. Returns how many lines these were. */
async function heldAndRemoved(collector: Collector, names: readonly string[]): Promise<number> {
  const left = new Set(names);
  let lines = 0;
  for (let tries = 0; left.size > 0; tries += 1) {
    assert.ok(tries < 1200, `${left.size} containers lack lines: ${collector.told.join('').slice(-4000)}`);
    for (const name of left) {
      const held = heldOf(collector, name);
      // A daemon that ends has lines in hand that it writes to no file.
      const hasRestarted = process.env['SLUICE_TEST_DOCKERD'] !== undefined;
      if (!hasRestarted && held.size < BATCHES * (2 * BATCH_LINES + 1)) continue;
      if (docker('inspect', '--format', '{{.State.Status}}', name) !== 'exited') continue;
      const shown = linesOfDockerLogs(name);
      if (shown.some((line) => !held.has(line))) continue;
      assert.equal(held.size, shown.length, name);
      lines += shown.length;
      docker('rm', name);
      left.delete(name);
    }
    await delay(100);
  }
  return lines;
}

/** Of a long line, the part that its name is in. Of those of the driver local, Docker 20.10 shows no line end. */
function linesOfDockerLogs(name: string): string[] {
  const { stdout, stderr } = spawnSync('docker', ['logs', name], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const lines = `${stdout}${stderr}`.split(new RegExp(`(?=${name} )`));
  return lines.map((line) => line.slice(0, DOCKER_PART_BYTES).trimEnd());
}

function restartDaemon(): void {
  const command = process.env['SLUICE_TEST_DOCKERD'];
  if (command === undefined) return;
  for (const what of ['stop', 'start']) assert.equal(spawnSync(command, [what], { stdio: 'inherit' }).status, 0, what);
}
