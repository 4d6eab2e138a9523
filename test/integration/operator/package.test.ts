// The package that `npm pack` makes, as its users meet it: installed from the tarball into an empty folder and started
// by npx, by the command, and by an older Node. And whoever is killed on the way from npm to Sluice: no Sluice stays
// behind.

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';
import { newPlace, type Place } from '../parts/sluice-process.ts';
import { stuckProcesses } from '../parts/stuck-processes.ts';

const root = join(import.meta.dirname, '../../..');
const SOURCES = [
  'package.json',
  'package-lock.json',
  'LICENSE',
  'README.md',
  'CHANGELOG.md',
  'services',
  'shared',
  'infra',
];

/** Without what the test runner and the project's own npm have put there. */
function environment(place: Place | null, more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(SLUICE_|npm_|NODE_TEST_CONTEXT)/i.test(name));
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
  return {
    ...Object.fromEntries(own),
    PATH: path.join(delimiter),
    // Packages that `npm ci` has fetched are taken from its cache.
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
    ...(place && {
      SLUICE_DATA_DIR: place.dataDir,
      SLUICE_FORWARD_LISTEN: `127.0.0.1:${place.forward}`,
      SLUICE_HTTP_LISTEN: `127.0.0.1:${place.http}`,
      SLUICE_ADMIN_LISTEN: `127.0.0.1:${place.admin}`,
    }),
    ...more,
  };
}

suite('the package', () => {
  let folder = '';
  let installed = '';
  let global = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-package-'));
    installed = join(folder, 'installed');
    global = join(folder, 'global');
    const sources = join(folder, 'sources');
    mkdirSync(sources);
    // A copy, so that the manifest of the project is not touched while other tests read it.
    for (const name of SOURCES) cpSync(join(root, name), join(sources, name), { recursive: true });
    mkdirSync(join(sources, 'test'));
    symlinkSync(join(root, 'node_modules'), join(sources, 'node_modules'));
    const manifest = readFileSync(join(sources, 'package.json'), 'utf8');
    const npm = (args: readonly string[], cwd: string): string =>
      execFileSync('npm', args, { cwd, env: environment(null), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    npm(['pack', '--pack-destination', folder], sources);
    assert.equal(readFileSync(join(sources, 'package.json'), 'utf8'), manifest, 'the manifest is as it was');
    assert.deepEqual(
      readdirSync(sources).filter((name) => name.endsWith('.unpacked')),
      [],
    );
    const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'none');
    mkdirSync(installed);
    writeFileSync(join(installed, 'package.json'), '{"private":true}');
    npm(['install', tarball], installed);
    npm(['install', '--global', '--prefix', global, tarball], folder);
  });
  after(() => {
    // What a test that ran out of time could not end.
    for (const pid of everStarted) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  test('holds the program and nothing that only its makers need', () => {
    const files = readdirSync(join(installed, 'node_modules/sluice'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(installed, 'node_modules/sluice/').length));
    assert.deepEqual(files.sort(), [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist/sluice.js',
      'dist/sluice.js.LEGAL.txt',
      'package.json',
      'services/sluice/launch.js',
    ]);
    const packages = readdirSync(join(installed, 'node_modules')).filter((name) => !name.startsWith('.'));
    assert.deepEqual(
      packages.filter((name) => !name.startsWith('node-')),
      ['sluice'],
      'it needs Node and nothing else',
    );
  });

  test('npx sluice, and the command of a global installation', () => {
    const ways: [string, string[], string][] = [
      ['npx', ['--no-install', 'sluice'], installed],
      [join(global, 'bin/sluice'), [], folder],
    ];
    for (const [file, first, cwd] of ways) {
      const say = (...args: string[]): string =>
        execFileSync(file, [...first, ...args], { cwd, env: environment(null), encoding: 'utf8' });
      assert.match(say('--version'), /^sluice \d+\.\d+\.\d+, node 26\./);
      assert.match(say('--help'), /Usage: sluice COMMAND/);
    }
  });

  /** How people start it: file, arguments, folder. */
  const ways = (): Record<string, readonly [string, readonly string[], string]> => ({
    'npx sluice run': ['npx', ['--no-install', 'sluice', 'run'], installed],
    'npm start': ['npm', ['start'], join(folder, 'sources')],
    'sluice run by an older Node': [join(global, 'bin/sluice'), ['run'], folder],
    'npx by way of an older Node': ['npx', ['--no-install', '-c', `${join(global, 'bin/sluice')} run; true`], folder],
  });

  for (const name of ['npx sluice run', 'npm start', 'sluice run by an older Node', 'npx by way of an older Node']) {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      test(`${name}, ended by ${signal}: takes a line, shows it, and nothing stays behind`, async () => {
        const [file, args, cwd] = ways()[name] ?? ['none', [], folder];
        await using place = await newPlace();
        await using started = await Started.up(file, args, { cwd, env: environment(place) }, place);
        const headers = { 'content-type': 'application/json' };
        const sent = { method: 'POST', headers, body: '{"message":"hello"}' };
        const answer = await fetch(`http://127.0.0.1:${place.http}/app.web`, sent);
        assert.equal(answer.status, 200, await answer.text());
        await started.until('the line is shown', () => shows(place, 'hello\n'));
        await started.end(signal);
        assert.equal(started.hasSaid('stop_overdue'), false, 'it stopped in order');
      });
    }
  }

  test('Ctrl-C reaches launch.js and Sluice alike, and counts once', async () => {
    await using place = await newPlace();
    const options = { cwd: folder, env: environment(place) };
    await using started = await Started.up(join(global, 'bin/sluice'), ['run'], options, place);
    assert.equal(await started.interrupt(), 0);
  });

  test('workers of a killed npx end too', async () => {
    await using place = await newPlace();
    const env = environment(place, { SLUICE_KAFKA_BROKERS: `127.0.0.1:${await freePort()}`, SLUICE_SPOOL: 'false' });
    const args = ['--no-install', 'sluice', 'forwarder', '--workers', '2'];
    await using started = await Started.up('npx', args, { cwd: installed, env }, place);
    await started.end('SIGKILL');
  });

  test('what leads a session of its own outlives npm: that is how one leaves it running on purpose', async () => {
    await using place = await newPlace();
    const pidFile = join(place.dataDir, 'pid');
    const env = environment(place);
    const script = `setsid sh -c 'echo $$ > ${pidFile}; exec sluice run' > ${join(place.dataDir, 'log')} 2>&1 &`;
    const npx = spawn('npx', ['--no-install', '-c', script], { cwd: installed, env, stdio: 'ignore' });
    const [code] = (await once(npx, 'exit')) as [number];
    assert.equal(code, 0);
    while (!(await answers(place))) await delay(50);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    // Several looks at who started it have been made by then, and it is there.
    for (let look = 0; look < 10; look++) {
      await delay(100);
      assert.ok(await answers(place));
    }
    process.kill(pid, 'SIGTERM');
    while (await answers(place)) await delay(50);
    while (isAlive(pid)) await delay(50);
  });

  /** Whether `sluice logs` shows anything; rejects where that is something else. */
  async function shows(place: Place, text: string): Promise<boolean> {
    const child = spawn('npx', ['--no-install', 'sluice', 'logs', 'app.web'], {
      cwd: installed,
      env: environment(place),
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: WAIT_MS,
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (said += piece));
    const [code] = (await once(child, 'close')) as [number | null];
    assert.equal(code, 0, `sluice logs: ${said}`);
    if (said !== '') assert.equal(said, text);
    return said !== '';
  }
});

async function answers(place: Place): Promise<boolean> {
  return fetch(`http://127.0.0.1:${place.admin}/livez`, { signal: AbortSignal.timeout(WAIT_MS) }).then(
    (answer) => answer.ok,
    () => false,
  );
}

/** Whatever takes longer has stopped: the test then says where. */
const WAIT_MS = 60_000;
const everStarted = new Set<number>();

/** What was started, and every process below it. */
class Started implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #all: ReadonlySet<number>;
  readonly #said: () => string;

  private constructor(child: ChildProcess, said: () => string) {
    this.#child = child;
    this.#said = said;
    this.#all = descendants(child.pid ?? 0);
    for (const pid of this.#all) everStarted.add(pid);
  }

  static async up(
    file: string,
    args: readonly string[],
    { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv },
    place: Place,
  ): Promise<Started> {
    const log = join(place.dataDir, 'said');
    // A file, as a pipe that a killed npm leaves would end what still writes to it.
    const child = spawn('sh', ['-c', 'exec "$0" "$@" > "$SAID" 2>&1', file, ...args], {
      cwd,
      env: { ...env, SAID: log },
      stdio: 'ignore',
    });
    const said = (): string => readFileSync(log, 'utf8');
    const isUp = async (): Promise<boolean> => {
      if (child.exitCode !== null || child.signalCode !== null) assert.fail(`it ended: ${said()}`);
      return answers(place);
    };
    await until('it answers', isUp, () => `${stuckProcesses(descendants(child.pid ?? 0))}\n${said()}`);
    return new Started(child, said);
  }

  async until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
    await until(what, condition, () => `${stuckProcesses(this.#all)}\n${this.#said()}`);
  }

  hasSaid(text: string): boolean {
    return this.#said().includes(text);
  }

  /** Resolves when nothing is left of what was started. */
  async end(signal: NodeJS.Signals): Promise<void> {
    assert.ok(this.#all.size > 1 || signal === 'SIGTERM');
    this.#child.kill(signal);
    await this.until('nothing is left of it', () => ![...this.#all].some(isAlive));
  }

  /** As a terminal does: every process of the group. Resolves to the exit code. */
  async interrupt(): Promise<number | null> {
    const exited = once(this.#child, 'exit');
    for (const pid of this.#all) process.kill(pid, 'SIGINT');
    const [code] = (await exited) as [number | null];
    return code;
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const pid of this.#all) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    return Promise.resolve();
  }
}

async function until(what: string, condition: () => Promise<boolean> | boolean, facts: () => string): Promise<void> {
  const sinceMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - sinceMs > WAIT_MS) assert.fail(`after a minute, not yet: ${what}\n${facts()}`);
    await delay(50);
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function descendants(pid: number): Set<number> {
  const found = new Set([pid]);
  for (const parent of found) {
    for (const task of readdirSync(`/proc/${parent}/task`)) {
      const children = readFileSync(`/proc/${parent}/task/${task}/children`, 'utf8').trim().split(' ');
      for (const child of children) if (child !== '') found.add(Number(child));
    }
  }
  return found;
}
