// `sluice logs X` prints the same bytes as `docker logs X`, on standard output and on standard error, for every option:
// of real containers that print odd lines, once read from Docker's json-file, and once sent by its fluentd driver,
// beside which dockerd keeps its own copy. What differs all the same is in docs/senders/containers.md, and here.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { run } from '../../../services/sluice/commands/logs.ts';
import { TRACE, ALL_DIGITS, FULL, SCRIPTS } from './docker-scripts.ts';
import { image, whyNoContainers } from '../parts/container.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const docker = (...args: readonly string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim();

function containersFolder(): string {
  return join(docker('info', '--format', '{{.DockerRootDir}}'), 'containers');
}

function whyNot(): string | null {
  const reason = whyNoContainers();
  if (reason !== null) return reason;
  try {
    accessSync(containersFolder());
    return null;
  } catch {
    return "the daemon's folder cannot be read";
  }
}

const LABELS = ['--label', 'team=blue & green', '--label', "a.b/c=1,2!'()*~", '--env', 'STAGE=t=est'];
const DRIVERS = ['json-file', 'fluentd'] as const;

interface Printed {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/** Keeps what is written. */
class Bytes extends Writable {
  readonly chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.chunks.push(chunk);
    callback();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

const skipped = whyNot();

suite('docker logs and sluice logs', { skip: skipped === null ? false : `SKIPPED: ${skipped}` }, () => {
  const unique = randomBytes(4).toString('hex');
  const started = new AsyncDisposableStack();
  const nameOf = (driver: string, what: string): string => `${driver}-${what}-${unique}`;
  const names: string[] = [];
  let place: Awaited<ReturnType<typeof newPlace>>;

  before(async () => {
    place = started.use(await newPlace());
    const rule = JSON.stringify({ path: containersFolder(), include: [`*-${unique}`] });
    await started.use(new SluiceProcess(['run'], place, { SLUICE_COLLECT_DOCKER: rule })).ready();
    started.defer(() => void spawnSync('docker', ['rm', '-f', ...names]));
    const precise = { 'fluentd-sub-second-precision': 'true' };
    await Promise.all([
      ...Object.entries(SCRIPTS).flatMap(([what, script]) => [
        ran('json-file', what, script),
        ran('fluentd', what, script, precise),
      ]),
      ran('fluentd', 'seconds', 'echo one'),
    ]);
  });
  after(() => started.disposeAsync());

  /** Runs a container to its end, and waits until all that it printed is stored. */
  async function ran(driver: string, what: string, script: string, options: Record<string, string> = {}) {
    const name = nameOf(driver, what);
    names.push(name);
    const to = driver === 'fluentd' ? { 'fluentd-address': `127.0.0.1:${place.forward}`, ...options } : options;
    const given = Object.entries({ labels: 'team,a.b/c', env: 'STAGE', ...to });
    const logOptions = given.flatMap(([key, value]) => ['--log-opt', `${key}=${value}`]);
    const named = ['--name', name, '--network=none', `--log-driver=${driver}`, ...logOptions, ...LABELS];
    // Its streams are read by themselves: one may be behind the other.
    const wanted = await outputBytes(['run', ...named, image, 'sh', '-c', script]);
    for (let tries = 0; ; tries += 1) {
      const { stdout, stderr } = await ours([name]);
      if (stdout.length + stderr.length >= wanted) return;
      assert.ok(tries < 300, `${name}: ${stdout.length + stderr.length} of ${wanted} bytes`);
      await delay(100);
    }
  }

  /** What `docker logs` prints. */
  const theirs = (args: readonly string[]): Promise<Printed> =>
    promisify(execFile)('docker', ['logs', ...args], { encoding: 'buffer', maxBuffer: 1 << 26 });

  /** What `sluice logs` prints to its end, or until it has printed as much as `like`. */
  async function ours(args: readonly string[], like?: Printed): Promise<Printed> {
    const config = loadConfig({ env: { SLUICE_DATA_DIR: place.dataDir }, file: undefined, readFile: () => '' });
    const [stdout, stderr] = [new Bytes(), new Bytes()];
    const stop = new AbortController();
    const ended = run([...args], { config, stdout, stderr, signal: stop.signal, clock: systemClock });
    if (like) {
      while (stdout.bytes.length < like.stdout.length || stderr.bytes.length < like.stderr.length) await delay(20);
      stop.abort();
    }
    await ended;
    return { stdout: stdout.bytes, stderr: stderr.bytes };
  }

  /** `expected`: what is printed in place of Docker's bytes. */
  async function same(args: readonly string[], expected = (bytes: Buffer): Buffer => bytes): Promise<void> {
    const docker = await theirs(args);
    const sluice = await ours(args, args.includes('-f') ? docker : undefined);
    check(sluice.stdout, expected(docker.stdout), `${args.join(' ')}: stdout`);
    check(sluice.stderr, expected(docker.stderr), `${args.join(' ')}: stderr`);
  }

  async function timesOf(name: string): Promise<string[]> {
    const { stdout } = await theirs(['-t', name]);
    return stdout
      .toString()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '');
  }

  for (const driver of DRIVERS) {
    test(`${driver}: odd lines, every option`, async () => {
      const name = nameOf(driver, 'odd');
      const times = await timesOf(name);
      const at = (line: number): string => times[line] ?? '';
      await same([name]);
      await same(['-t', name]);
      await same(['--tail', '0', name]);
      await same(['--tail', '5', name]);
      await same(['-n', '7', '-t', name]);
      await same(['--tail', 'all', name]);
      await same(['--tail', '-1', name]);
      await same(['--since', at(6), name]);
      await same(['--until', at(9), name]);
      await same(['-t', '--since', at(4), '--until', at(12), name]);
      await same(['--tail', '12', '--since', at(14), name]);
      await same(['--since', '1h', name]);
      await same(['--until', '1h', name]);
      await same(['-f', name]);
      await same(['-f', '-t', '--tail', '6', name]);
      await same(['-f', '--since', at(8), name]);
      if (driver === 'fluentd') return;
      await same(['--details', name]);
      await same(['-t', '--details', '--tail', '9', name]);
    });

    test(`${driver}: a range of time that begins or ends within a stack trace`, async () => {
      const name = nameOf(driver, 'trace');
      const times = (await timesOf(name)).slice(0, TRACE.length);
      for (const time of times) {
        await same(['-t', '--since', time, name]);
        await same(['--until', time, name]);
        await same(['--since', time, '--tail', '4', name]);
      }
      await same([name]);
      await same(['-f', '-t', '--since', times[4] ?? '', name]);
      await same(['-t', '--since', times[3] ?? '', '--until', times[6] ?? '', name]);
    });

    test(`${driver}: long lines`, async () => {
      const name = nameOf(driver, 'long');
      // The copy that Docker keeps beside other drivers lacks the line ends of what it has split (seen with 20.10).
      const joined = (bytes: Buffer): string => bytes.toString('latin1').replaceAll('\n', '');
      const [docker, sluice] = await Promise.all([theirs([name]), ours([name])]);
      assert.equal(joined(sluice.stdout), joined(docker.stdout));
      if (driver === 'json-file') check(sluice.stdout, docker.stdout, name);
      // Docker counts its parts of 16 KiB, and says the time before each.
      const lines = sluice.stdout.toString().split('\n').slice(-3);
      const ends = (await ours(['-t', '--tail', '2', name])).stdout.toString().split('\n');
      assert.deepEqual(
        ends.map((line) => line.slice(31)),
        lines,
      );
      assert.ok((await theirs(['-t', name])).stdout.length > docker.stdout.length + 10 * 31);
    });

    test(`${driver}: lines of 16 KiB`, async () => {
      const expected = FULL.map((bytes) => `${ALL_DIGITS.slice(0, bytes)}\n`).join('');
      check((await ours([nameOf(driver, 'full')])).stdout, Buffer.from(expected), 'ours');
      if (driver === 'json-file') await same([nameOf(driver, 'full')]);
    });

    test(`${driver}: no line end at the end`, async () => {
      const withEnd = (bytes: Buffer): Buffer => Buffer.from(bytes.toString().replace(/[^\n]$/, '$&\n'));
      await same([nameOf(driver, 'unended')], withEnd);
      await same(['-t', nameOf(driver, 'unended')], withEnd);
    });

    test(`${driver}: bytes that are no UTF-8`, () =>
      same([nameOf(driver, 'bytes')], (bytes) => Buffer.from(bytes.toString('utf8'))));

    test(`${driver}: --tail counts within --until`, async () => {
      const name = nameOf(driver, 'five');
      const options = ['--tail', '2', '--until', (await timesOf(name))[2] ?? '', name];
      check((await ours(options)).stdout, Buffer.from('2\n3\n'), 'ours');
      check((await theirs(options)).stdout, Buffer.from(''), 'theirs');
    });
  }

  test('fluentd: whole seconds, unless asked', () =>
    same(['-t', nameOf('fluentd', 'seconds')], (bytes) =>
      Buffer.from(bytes.toString().replace(/\.\d{9}Z/, '.000000000Z')),
    ));

  test('fluentd: Docker keeps no labels beside its lines, and Sluice all attributes', async () => {
    const name = nameOf('fluentd', 'five');
    check((await theirs(['--details', '-n', '1', name])).stdout, Buffer.from(' 5\n'), 'theirs');
    const [details = ''] = (await ours(['--details', '-n', '1', name])).stdout.toString().split(' 5\n');
    assert.deepEqual(details.match(/team=blue & green|a\.b\/c=1,2!'\(\)\*~|STAGE=t=est/g)?.length, 3, details);
  });
});

/** Runs a container to its end. Returns how many bytes it has printed. */
function outputBytes(args: readonly string[]): Promise<number> {
  const child = spawn('docker', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let bytes = 0;
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  return new Promise((resolve, reject) => {
    child.once('close', (code) => (code === 0 ? resolve(bytes) : reject(new Error(`docker ended with ${code}`))));
  });
}

function check(actual: Buffer, expected: Buffer, what: string): void {
  if (actual.equals(expected)) return;
  const lines = (bytes: Buffer): string[] =>
    bytes
      .toString('latin1')
      .split('\n')
      .map((line) => line.slice(0, 300));
  assert.deepEqual(lines(actual), lines(expected), what);
  assert.fail(`${what}: ${actual.length} bytes, not the ${expected.length} expected`);
}
