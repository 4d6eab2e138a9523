// Every command of ours that starts Node says V8's flags: each process that does the work has them from its launch on.
// A module that Node loads before the program writes down with what it was started.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '#test/backends/free-port.ts';
import { MALLOC_ENVIRONMENT } from '../../../services/sluice/process/malloc.ts';
import { V8_FLAGS } from '../../../services/sluice/process/v8-flags.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const root = join(import.meta.dirname, '../../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const trimBytes = MALLOC_ENVIRONMENT['MALLOC_TRIM_THRESHOLD_'] ?? '';
const flagsText = V8_FLAGS.join(' ');

interface Launch {
  readonly args: readonly string[];
  readonly options: readonly string[];
  /** Only V8 itself can put it there. */
  readonly hasCollector: boolean;
  readonly isWorker: boolean;
  /** Of glibc's allocator. */
  readonly trimBytes: string | null;
}

const PRELOADED = `
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');
const launch = {
  args: process.argv.slice(1),
  options: process.execArgv,
  hasCollector: typeof gc === 'function',
  isWorker: process.env.SLUICE_WORKER_SEAT !== undefined,
  trimBytes: process.env.MALLOC_TRIM_THRESHOLD_ ?? null,
};
writeFileSync(join(process.env.LAUNCH_FOLDER, process.pid + '.json'), JSON.stringify(launch));
`;

suite('V8 flags at launch', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-launch-'));
    writeFileSync(join(folder, 'preloaded.cjs'), PRELOADED);
    // launch.js starts another Node where this one is too old.
    const older = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.0.0' } });";
    writeFileSync(join(folder, 'older.cjs'), older);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const environment = () => ({
    NODE_OPTIONS: `--require=${join(folder, 'preloaded.cjs')}`,
    LAUNCH_FOLDER: folder,
  });

  /** How processes were started since the last call: those of the program, not npm's. */
  function launches(program: string): Launch[] {
    const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
    const found = files.map((name): Launch => JSON.parse(readFileSync(join(folder, name), 'utf8')));
    for (const name of files) rmSync(join(folder, name));
    return found.filter(({ args }) => args[0]?.endsWith(program));
  }

  async function run(file: string, args: readonly string[]): Promise<void> {
    const child = spawn(file, args, { cwd: root, env: { ...process.env, ...environment() }, stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0, `${file} ${args.join(' ')}`);
  }

  test('npm start', async () => {
    await run('npm', ['start', '--', '--help']);
    assert.deepEqual(launches('dist/sluice.js'), [
      {
        args: [join(root, 'dist/sluice.js'), 'run', '--help'],
        options: V8_FLAGS,
        hasCollector: true,
        isWorker: false,
        trimBytes: null,
      },
    ]);
  });

  test('the Node that launch.js starts', async () => {
    const launcher = 'services/sluice/launch.js';
    await run(process.execPath, ['--require', join(folder, 'older.cjs'), launcher, '--version']);
    assert.deepEqual(launches('dist/sluice.js'), [
      {
        args: [join(root, 'dist/sluice.js'), '--version'],
        options: V8_FLAGS,
        hasCollector: true,
        isWorker: false,
        trimBytes,
      },
    ]);
  });

  test('workers, also of a primary that was started without', async () => {
    await using place = await newPlace();
    // Nobody is there: a worker is started all the same.
    const env = { ...environment(), SLUICE_KAFKA_BROKERS: `127.0.0.1:${await freePort()}`, SLUICE_SPOOL: 'false' };
    await using primary = new SluiceProcess(['forwarder', '--workers', '2'], place, env);
    const seen: Launch[] = [];
    while (!seen.some(({ isWorker }) => isWorker)) {
      await delay(50);
      seen.push(...launches('main.ts'));
    }
    await primary.kill();
    assert.deepEqual(
      seen
        .map(({ isWorker, options, hasCollector, trimBytes: trim }) => [isWorker, options, hasCollector, trim])
        .slice(0, 2),
      [
        [false, [], false, null],
        [true, V8_FLAGS, true, trimBytes],
      ],
    );
  });

  for (const [file, command] of [
    [
      'infra/docker/Dockerfile',
      `ENTRYPOINT ${JSON.stringify(['/usr/local/bin/node', ...V8_FLAGS, '/opt/sluice/sluice.js']).replaceAll(',', ', ')}`,
    ],
    [
      'infra/systemd/sluice-forwarder.service',
      `ExecStart=/usr/bin/node ${flagsText} /opt/sluice/dist/sluice.js forwarder`,
    ],
  ] as const) {
    test(`${file} says them`, () => assert.ok(read(file).includes(`\n${command}\n`), command));
    test(`${file} says what glibc needs`, () => {
      for (const [name, bytes] of Object.entries(MALLOC_ENVIRONMENT))
        assert.ok(read(file).includes(`${name}=${bytes}`));
    });
  }
});
