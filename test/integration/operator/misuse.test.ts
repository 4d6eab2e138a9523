// Wrong configuration and wrong surroundings: one clear line on stderr, and the exit code that the contract names.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '#test/backends/free-port.ts';
import { type Environment, newPlace, type Place, sluice, SluiceProcess } from '../parts/sluice-process.ts';

interface Expected {
  readonly code: 1 | 2;
  readonly says: RegExp;
}

function check(
  title: string,
  args: string[],
  environment: Environment | ((place: Place) => Environment),
  expected: Expected,
) {
  test(title, async () => {
    await using place = await newPlace();
    const more = typeof environment === 'function' ? environment(place) : environment;
    const { code, stderr } = await sluice(args, place, more);
    assert.equal(code, expected.code, stderr);
    assert.match(stderr, expected.says);
    assertOneLine(stderr);
  });
}

/** What is no log line (JSON) is what the user is told. */
function assertOneLine(stderr: string): void {
  const told = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
  assert.equal(told.length, 1, `one line on stderr, not:\n${stderr}`);
  assert.match(told[0] ?? '', /^sluice: \S/);
}

check('unknown variable', ['run'], { SLUICE_HTPP_LISTEN: ':1' }, { code: 2, says: /SLUICE_HTPP_LISTEN/ });
check(
  'a number that is none',
  ['run'],
  { SLUICE_FRAME_MAX_BYTES: 'much' },
  { code: 2, says: /SLUICE_FRAME_MAX_BYTES/ },
);
check(
  'an address that is none',
  ['run'],
  { SLUICE_FORWARD_LISTEN: 'nowhere' },
  { code: 2, says: /SLUICE_FORWARD_LISTEN|forward\.listen|nowhere/ },
);
check(
  'a configuration file that is not there',
  ['run', '--config', '/nonexistent.yaml'],
  {},
  { code: 2, says: /nonexistent\.yaml/ },
);
check('unknown command', ['runn'], {}, { code: 2, says: /runn/ });
check('unknown option', ['run', '--port', '1'], {}, { code: 2, says: /--port/ });
check('check tells it too', ['check'], { SLUICE_QUEUE: 'rabbit' }, { code: 2, says: /SLUICE_QUEUE/ });

const exposed = { SLUICE_FORWARD_LISTEN: '0.0.0.0:0' };
check('a public address without authentication', ['run'], exposed, {
  code: 2,
  says: /for forward: anyone .* SLUICE_SHARED_KEY .* SLUICE_ALLOW_NETWORKS.*SLUICE_INSECURE=forward/,
});
check('an admin page that anyone reaches', ['forwarder'], (place) => ({ SLUICE_ADMIN_LISTEN: `:${place.admin}` }), {
  code: 2,
  says: /for admin/,
});
check('check tells it too', ['check'], exposed, { code: 2, says: /SLUICE_INSECURE=forward/ });
check(
  'a network that is none',
  ['run'],
  { SLUICE_ALLOW_NETWORKS: '10.0.0.0/99' },
  { code: 2, says: /10\.0\.0\.0\/99/ },
);
check(
  'a tenants file that is not there',
  ['check'],
  { SLUICE_TENANTS: '/nonexistent' },
  { code: 2, says: /nonexistent/ },
);
check('a certificate without its key', ['run'], { SLUICE_TLS_CERT: 'c.pem' }, { code: 2, says: /SLUICE_TLS_KEY/ });
check(
  'a certificate that is not there',
  ['run'],
  { SLUICE_TLS_CERT: '/none', SLUICE_TLS_KEY: '/none' },
  {
    code: 2,
    says: /SLUICE_TLS_CERT: cannot read \/none/,
  },
);

test('a public address that was asked for is told of', async () => {
  await using place = await newPlace();
  const settings = { SLUICE_FORWARD_LISTEN: `0.0.0.0:${place.forward}`, SLUICE_INSECURE: 'forward' };
  await using program = await new SluiceProcess(['run'], place, settings).ready();
  const { stderr } = await program.stop();
  assert.match(stderr, /"input_exposed"|"event":"input_exposed"/);
});

test('unknown key in the file', async () => {
  await using place = await newPlace();
  const file = join(place.dataDir, 'sluice.yaml');
  await writeFile(file, 'kafka:\n  brokrs: [a:1]\n');
  const { code, stderr } = await sluice(['run', '--config', file], place);
  assert.equal(code, 2, stderr);
  assert.match(stderr, /kafka\.brokrs/);
  assertOneLine(stderr);
});

for (const input of ['forward', 'http', 'admin'] as const) {
  test(`the port of ${input} is in use`, async () => {
    await using place = await newPlace();
    const other = createServer().listen(place[input], '127.0.0.1');
    await once(other, 'listening');
    const { code, stderr } = await sluice(['run'], place);
    other.close();
    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${place[input]}: .*in use`));
    assertOneLine(stderr);
  });
}

test('the data folder is a file', async () => {
  await using place = await newPlace();
  const file = join(place.dataDir, 'file');
  await writeFile(file, '');
  const { code, stderr } = await sluice(['run'], place, { SLUICE_DATA_DIR: file });
  assert.equal(code, 1, stderr);
  assert.ok(stderr.includes(file), stderr);
  assertOneLine(stderr);
});

test('the data folder cannot be made', async () => {
  await using place = await newPlace();
  // Not even root may make a folder there.
  const folder = '/sys/sluice';
  const { code, stderr } = await sluice(['run'], place, { SLUICE_DATA_DIR: folder });
  assert.equal(code, 1, stderr);
  assert.ok(stderr.includes(folder), stderr);
  assertOneLine(stderr);
});

test('the data folder is in use', async () => {
  await using place = await newPlace();
  await using _first = await new SluiceProcess(['run'], place).ready();
  await using elsewhere = await newPlace();
  const { code, stderr } = await sluice(['run'], { ...elsewhere, dataDir: place.dataDir });
  assert.equal(code, 1, stderr);
  assert.ok(stderr.includes(place.dataDir), stderr);
  assertOneLine(stderr);
});

test('setup with a wrong broker address', async () => {
  await using place = await newPlace();
  const broker = `127.0.0.1:${await freePort()}`;
  const { code, stderr } = await sluice(['setup'], place, { SLUICE_KAFKA_BROKERS: broker });
  assert.equal(code, 1, stderr);
  assert.ok(stderr.includes(broker), stderr);
  assertOneLine(stderr);
});

test('a forwarder without a spool, with a wrong broker address, says so and waits', async () => {
  await using place = await newPlace();
  const broker = `127.0.0.1:${await freePort()}`;
  const settings = { SLUICE_KAFKA_BROKERS: broker, SLUICE_SPOOL: 'false' };
  await using forwarder = new SluiceProcess(['forwarder'], place, settings);
  await forwarder.until(async () => (await forwarder.readiness()).reasons.includes(broker));
  const stopped = await forwarder.stop();
  assert.equal(stopped.code, 0, stopped.stderr);
});
