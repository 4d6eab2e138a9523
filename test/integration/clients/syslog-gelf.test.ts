// Docker's syslog and gelf drivers, logger(1) and rsyslog against the program: every numbered line is in the store
// once. By UDP on this machine's own loopback, where the kernel loses nothing as long as it is read.

import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '#test/backends/free-port.ts';
import { newCertificate, whyNoCertificates } from '../parts/certificate.ts';
import { runWithDriver, whyNoContainers } from '../parts/container.ts';
import { type Document, type Find, field, inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const lineCount = 1000;
const numbered = `awk 'BEGIN { for (i = 1; i <= ${lineCount}; i++) print "line " i }'`;
const expected = Array.from({ length: lineCount }, (_, i) => `line ${i + 1}`);

const run = promisify(execFile);
const noContainers = whyNoContainers();
const noCertificates = whyNoCertificates();
const skipped = (why: string | null) => (why === null ? false : `SKIPPED: ${why}`);
const missing = (program: string) =>
  spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${program}`]).status === 0 ? null : `there is no ${program}`;

const started = new AsyncDisposableStack();
let folder = '';
let find: Find = () => Promise.resolve([]);
let sluice: SluiceProcess;
const port = { syslog: await freePort(), tls: await freePort(), gelf: await freePort() };
const certificate = { cert: '', key: '' };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-syslog-'));
  started.defer(() => rm(folder, { recursive: true, force: true }));
  if (noCertificates === null) Object.assign(certificate, await newCertificate(folder));
  const place = started.use(await newPlace());
  sluice = started.use(
    new SluiceProcess(['run'], place, {
      SLUICE_SYSLOG_LISTEN: `127.0.0.1:${port.syslog}`,
      SLUICE_GELF_LISTEN: `127.0.0.1:${port.gelf}`,
      ...(certificate.cert !== '' && {
        SLUICE_SYSLOG_TLS_LISTEN: `127.0.0.1:${port.tls}`,
        SLUICE_TLS_CERT: certificate.cert,
        SLUICE_TLS_KEY: certificate.key,
      }),
    }),
  );
  await sluice.ready();
  find = inEmbeddedStore(place);
});
after(async () => {
  try {
    assert.equal(await sluice.metric('ledger_imbalance'), 0);
    assert.equal(await sluice.metric('events_dropped_total'), 0);
    assert.equal(await sluice.metric('udp_receive_drops_total'), 0);
  } finally {
    await started.disposeAsync();
  }
});

/** Every line once, and in order. */
async function everyLine(name: string): Promise<Document[]> {
  const documents = await untilStored(find, name, lineCount);
  assert.deepEqual(texts(documents, 'message'), expected, `of ${name}, every line once and in order`);
  return documents;
}

/** Every line once. */
async function everyLineInAnyOrder(name: string): Promise<Document[]> {
  const documents = await untilStored(find, name, lineCount);
  assert.deepEqual(texts(documents, 'message').sort(), expected.toSorted(), `of ${name}, every line once`);
  return documents;
}

function all(documents: readonly Document[], name: string, value: unknown): void {
  for (const document of documents) assert.equal(field(document, name), value, name);
}

suite('Docker, syslog driver', { skip: skipped(noContainers) }, () => {
  const formats = ['', 'rfc3164', 'rfc5424', 'rfc5424micro'];
  const addresses = { udp: () => `udp://127.0.0.1:${port.syslog}`, tcp: () => `tcp://127.0.0.1:${port.syslog}` };
  for (const [transport, address] of Object.entries(addresses)) {
    for (const format of formats) {
      test(`${transport}, ${format || 'no format'}`, () =>
        lines(`${transport}-${format || 'default'}`, address(), format));
    }
  }
  for (const format of ['rfc3164', 'rfc5424micro']) {
    test(`tcp+tls, ${format}`, { skip: skipped(noCertificates) }, () =>
      lines(`tls-${format}`, `tcp+tls://127.0.0.1:${port.tls}`, format, {
        'syslog-tls-ca-cert': certificate.cert,
      }),
    );
  }
  test('tcp+tls, without a look at the certificate', { skip: skipped(noCertificates) }, () =>
    lines('tls-unverified', `tcp+tls://127.0.0.1:${port.tls}`, 'rfc5424', { 'syslog-tls-skip-verify': 'true' }),
  );

  async function lines(name: string, address: string, format: string, more: Record<string, string> = {}) {
    const options = { 'syslog-address': address, ...(format && { 'syslog-format': format }), tag: name, ...more };
    await runWithDriver({ driver: 'syslog', options, script: numbered });
    const documents = await everyLine(name);
    all(documents, 'log.level', 'info');
    all(documents, 'attributes.facility', 'daemon');
    all(documents, 'service.name', name);
  }

  test('a unix socket', async () => {
    await using place = await newPlace();
    const socket = join(folder, 'syslog.sock');
    await using program = new SluiceProcess(['run'], place, { SLUICE_SYSLOG_LISTEN: `unix:${socket}` });
    await program.ready();
    const options = { 'syslog-address': `unix://${socket}`, tag: 'unix' };
    await runWithDriver({ driver: 'syslog', options, script: numbered });
    const documents = await untilStored(inEmbeddedStore(place), 'unix', lineCount);
    assert.deepEqual(texts(documents, 'message'), expected);
  });

  test('the tag is the container by default, its standard error an error', async () => {
    const options = { 'syslog-address': `tcp://127.0.0.1:${port.syslog}`, 'syslog-facility': 'local3' };
    const id = await runWithDriver({ driver: 'syslog', options, script: 'echo said >&2' });
    const [document = {}] = await untilStored(find, id.slice(0, 12), 1);
    assert.equal(field(document, 'message'), 'said');
    assert.equal(field(document, 'log.level'), 'error');
    assert.equal(field(document, 'attributes.facility'), 'local3');
  });

  // Docker cuts lines at 16 KiB, and by syslog says nothing of it: there is nothing to join them by.
  test('a line over 16 KiB comes in pieces of which nothing is lost', async () => {
    const options = { 'syslog-address': `tcp://127.0.0.1:${port.syslog}`, 'syslog-format': 'rfc5424', tag: 'long' };
    const script = "seq 1 20000 | tr -d '\\n' | head -c 40000; echo";
    await runWithDriver({ driver: 'syslog', options, script });
    const documents = await untilStored(find, 'long', 3);
    const digits = Array.from({ length: 20_000 }, (_, i) => i + 1).join('');
    assert.equal(texts(documents, 'message').join(''), digits.slice(0, 40_000));
    assert.equal(documents.length, 3);
  });
});

suite('Docker, gelf driver', { skip: skipped(noContainers) }, () => {
  for (const [name, options] of Object.entries<Record<string, string>>({
    'udp-gzip': {},
    'udp-zlib': { 'gelf-compression-type': 'zlib' },
    'udp-none': { 'gelf-compression-type': 'none' },
    tcp: {},
  })) {
    test(name, async () => {
      const address = `${name.slice(0, 3)}://127.0.0.1:${port.gelf}`;
      const container = `sluice-test-gelf-${name}-${process.pid}`;
      const args = ['--name', container, '--label', 'com.example.team=web', '--env', 'STAGE=test'];
      const given = { 'gelf-address': address, labels: 'com.example.team', env: 'STAGE', tag: 'docker.{{.Name}}' };
      const id = await runWithDriver({ driver: 'gelf', options: { ...given, ...options }, script: numbered, args });
      const documents = await everyLine(container);
      all(documents, 'container.id', id);
      all(documents, 'container.name', container);
      all(documents, 'container.image.name', 'sluice-test/busybox:local');
      all(documents, 'log.level', 'info');
      const attributes = documents.map((document) => document['attributes'] as Record<string, unknown>);
      for (const one of attributes) {
        assert.equal(one['com.example.team'], 'web');
        assert.equal(one['STAGE'], 'test');
        assert.equal(one['tag'], `docker.${container}`);
      }
    });
  }

  test('a line of 16,000 bytes, in chunks', async () => {
    const container = `sluice-test-gelf-chunks-${process.pid}`;
    const options = { 'gelf-address': `udp://127.0.0.1:${port.gelf}`, 'gelf-compression-type': 'none' };
    const script = "seq 1 20000 | tr -d '\\n' | head -c 16000; echo";
    await runWithDriver({ driver: 'gelf', options, script, args: ['--name', container] });
    const [document = {}] = await untilStored(find, container, 1);
    const digits = Array.from({ length: 20_000 }, (_, i) => i + 1).join('');
    assert.equal(field(document, 'message'), digits.slice(0, 16_000));
  });
});

suite('logger(1)', { skip: skipped(missing('logger')) }, () => {
  for (const [name, options] of Object.entries({
    'logger-udp-3164': ['--udp', '--rfc3164'],
    'logger-udp-5424': ['--udp', '--rfc5424', '--msgid', 'ID7', '--sd-id', 'zoo@123', '--sd-param', 'tiger="hungry"'],
    'logger-tcp-3164': ['--tcp', '--rfc3164'],
    'logger-tcp-5424': ['--tcp', '--rfc5424'],
    'logger-tcp-counted': ['--tcp', '--rfc5424', '--octet-count'],
  })) {
    test(name, async () => {
      const file = join(folder, `${name}.txt`);
      await writeFile(file, expected.map((line) => `${line}\n`).join(''));
      const to = ['--server', '127.0.0.1', '--port', String(port.syslog)];
      await run('logger', [...to, ...options, '--tag', name, '--priority', 'local3.warning', '--file', file]);
      const documents = await everyLine(name);
      all(documents, 'log.level', 'warn');
      all(documents, 'attributes.facility', 'local3');
      if (name === 'logger-udp-5424') all(documents, 'attributes.msgid', 'ID7');
    });
  }
});

test('a message of 288,894 bytes, over TCP', async () => {
  const digits = Array.from({ length: 60_000 }, (_, i) => i + 1).join('');
  const socket = connect(port.syslog, '127.0.0.1');
  socket.end(`<13>1 2026-11-21T06:47:31Z h large - - - ${digits}\n<13>1 2026-11-21T06:47:32Z h large - - - next\n`);
  const documents = await untilStored(find, 'large', 2);
  assert.deepEqual(
    texts(documents, 'message').map((text) => text.length),
    [digits.length, 4],
  );
  assert.ok(texts(documents, 'message')[0] === digits, 'whole');
  assert.equal(field(documents[0] ?? {}, 'log.flags'), undefined);
});

suite('rsyslog', { skip: skipped(missing('rsyslogd')) }, () => {
  const counted = 'TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"';
  const actions = {
    'rsyslog-udp': () =>
      `target="127.0.0.1" port="${port.syslog}" protocol="udp" template="RSYSLOG_SyslogProtocol23Format"`,
    'rsyslog-lines': () => `target="127.0.0.1" port="${port.syslog}" protocol="tcp"`,
    'rsyslog-counted': () => `target="127.0.0.1" port="${port.syslog}" protocol="tcp" ${counted}`,
    'rsyslog-tls': () =>
      `target="127.0.0.1" port="${port.tls}" protocol="tcp" ${counted} StreamDriver="gtls" StreamDriverMode="1"
       StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="127.0.0.1"`,
  };
  for (const [name, action] of Object.entries(actions)) {
    test(`${name}, from a file`, { skip: name.endsWith('tls') ? skipped(noCertificates) : false }, async () => {
      const place = await mkdtemp(join(folder, 'rsyslog-'));
      await writeFile(join(place, 'app.log'), expected.map((line) => `${line}\n`).join(''));
      // The recipe of docs/senders.md.
      await writeFile(
        join(place, 'rsyslog.conf'),
        `global(workDirectory="${place}" maxMessageSize="64k"
       DefaultNetstreamDriverCAFile="${certificate.cert}")
module(load="imfile")
input(type="imfile" File="${place}/app.log" Tag="${name}:" Facility="local0" Severity="info")
action(type="omfwd" ${action()}
       action.resumeRetryCount="-1"
       queue.type="LinkedList" queue.size="100000" queue.filename="sluice" queue.saveOnShutdown="on")
`,
      );
      const path = `${process.env['PATH'] ?? ''}:/usr/sbin`;
      const args = ['-n', '-f', join(place, 'rsyslog.conf'), '-i', join(place, 'pid')];
      const daemon = spawn('rsyslogd', args, { env: { ...process.env, PATH: path }, stdio: 'ignore' });
      try {
        // The workers of its queues mix lines before they send them (seen on the wire).
        const documents = await everyLineInAnyOrder(name);
        all(documents, 'attributes.facility', 'local0');
        all(documents, 'service.name', name);
      } finally {
        const ended = once(daemon, 'exit');
        daemon.kill('SIGTERM');
        await ended;
      }
    });
  }
});
