// The image as a user would build and run it, on stand-ins for the two images that it is made from, and a container
// whose log driver sends to it; and the one with journalctl, of this machine's files, which reads a journal.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { entries, noJournal, writeJournal } from '#test/forwarder/collect/journal/journal-files.ts';
import { freePort } from '#test/backends/free-port.ts';
import { runContainer, whyNoContainers } from '#test/integration/parts/container.ts';

const root = join(import.meta.dirname, '../..');
const name = `sluice-test-image-${randomBytes(4).toString('hex')}`;
const execute = promisify(execFile);
const why = whyNoContainers();

async function docker(...args: string[]): Promise<string> {
  const { stdout } = await execute('docker', args, {
    cwd: root,
    env: { ...process.env, DOCKER_BUILDKIT: '0' },
    maxBuffer: 1 << 26,
  });
  return stdout.trim();
}

async function build(): Promise<void> {
  await execute('bash', ['infra/docker/local/build.sh'], { cwd: root });
  const { stdout: registry } = await execute('npm', ['config', 'get', 'registry'], { cwd: root });
  const given = {
    BUILD_IMAGE: 'sluice-local/node:local',
    BASE_IMAGE: 'sluice-local/base:local',
    NPM_CONFIG_REGISTRY: registry.trim(),
  };
  const options = Object.entries(given).flatMap(([key, value]) => ['--build-arg', `${key}=${value}`]);
  await docker('build', '--network=host', ...options, '--file=infra/docker/Dockerfile', `--tag=${name}`, '.');
}

suite('the image', { skip: why ? `SKIPPED: ${why}` : false }, () => {
  before(build);
  after(() => docker('rmi', '--force', name));

  test('is built, is healthy, and takes what a log driver sends', async () => {
    const [forward, http, admin] = [await freePort(), await freePort(), await freePort()];
    const settings = {
      SLUICE_FORWARD_LISTEN: `127.0.0.1:${forward}`,
      SLUICE_HTTP_LISTEN: `127.0.0.1:${http}`,
      SLUICE_ADMIN_LISTEN: `127.0.0.1:${admin}`,
    };
    await using cleanUp = new AsyncDisposableStack();
    cleanUp.defer(async () => {
      await docker('rm', '--force', '--volumes', name);
    });

    const environment = Object.entries(settings).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
    const hardened = ['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges'];
    await docker('run', '--detach', '--name', name, '--network=host', ...hardened, ...environment, name);
    while ((await docker('inspect', '--format={{.State.Health.Status}}', name)) !== 'healthy') {
      assert.equal(await docker('inspect', '--format={{.State.Running}}', name), 'true', 'the container ended');
      await delay(200);
    }
    assert.equal(await docker('inspect', '--format={{.Config.User}}', name), '65532:65532');

    const sluice = (...args: string[]): Promise<string> =>
      docker('exec', name, '/usr/local/bin/node', '/opt/sluice/sluice.js', ...args);
    await runContainer({ script: 'seq 1 100', port: forward, tag: 'image.test', options: { 'request-ack': 'true' } });
    let lines: string[] = [];
    while (lines.length < 100) lines = (await sluice('logs', 'image.test').catch(() => '')).split('\n');
    assert.deepEqual(
      lines,
      Array.from({ length: 100 }, (_, i) => String(i + 1)),
    );

    await docker('stop', '--time=10', name);
    assert.equal(
      await docker('inspect', '--format={{.State.ExitCode}}', name),
      '0',
      'SIGTERM reaches it, and it drains',
    );
  });

  test('with journalctl reads a journal, with nothing else of the machine', { skip: noJournal }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-journal-image-'));
    const [files, journals] = [join(folder, 'files'), join(folder, 'journals')];
    const tag = `${name}-journal`;
    await using cleanUp = new AsyncDisposableStack();
    cleanUp.defer(async () => {
      await docker('rm', '--force', '--volumes', tag);
      await docker('rmi', '--force', tag);
      rmSync(folder, { recursive: true });
    });
    // What the Dockerfile does with the files of a Debian that apt is asked for.
    await execute('sh', [join(root, 'infra/docker/journal/files.sh'), files]);
    writeFileSync(join(folder, 'Dockerfile'), `FROM ${name}\nCOPY files/ /\n`);
    await docker('build', `--tag=${tag}`, folder);
    mkdirSync(journals);
    writeJournal(journals, 'a.journal', entries(1, 200));
    for (const path of [folder, journals]) chmodSync(path, 0o755);
    chmodSync(join(journals, 'a.journal'), 0o644);
    const rule = JSON.stringify({ directory: '/var/log/journal' });
    const hardened = ['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges', '--network=none'];
    const given = [`--env=SLUICE_COLLECT_JOURNAL=${rule}`, `--volume=${journals}:/var/log/journal:ro`];
    await docker('run', '--detach', '--name', tag, ...hardened, ...given, tag);
    const logs = ['exec', tag, '/usr/local/bin/node', '/opt/sluice/sluice.js', 'logs', 'journal'];
    let lines: string[] = [];
    while (lines.length < 200) {
      assert.equal(await docker('inspect', '--format={{.State.Running}}', tag), 'true', 'the container ended');
      lines = (await docker(...logs).catch(() => '')).split('\n');
    }
    assert.deepEqual(
      lines,
      entries(1, 200).map(({ n }) => `line ${n}`),
    );
  });
});
