// The clients that people have for other systems, each with its own code, at the HTTP input that speaks its language:
// every event is found once in the store.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from '@elastic/elasticsearch';
import { encode } from '@msgpack/msgpack';
import { freePort } from '#test/backends/free-port.ts';
import { type ClientName, isInstallable, runClient } from '#test/clients/installed.ts';
import { runWithDriver, whyNoContainers } from '../parts/container.ts';
import { type Document, field, inEmbeddedStore, texts, untilStored } from '../parts/documents.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

const run = promisify(execFile);
const count = 1000;
const numbers = Array.from({ length: count }, (_, n) => n);
const token = 'a-token-of-the-test';

const place = await newPlace();
const folder = await mkdtemp(join(tmpdir(), 'sluice-http-clients-'));
const find = inEmbeddedStore(place);
let program: SluiceProcess;

before(async () => {
  const tokens = join(folder, 'tokens.yaml');
  const tenants = join(folder, 'tenants.yaml');
  await writeFile(tokens, `- {token: ${token}, tenant: acme}\n`);
  await writeFile(tenants, 'acme: {}\n');
  const files = { SLUICE_HTTP_TOKENS: tokens, SLUICE_TENANTS: tenants };
  program = await new SluiceProcess(['run'], place, files).ready();
});
after(async () => {
  await program[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Every number once, as `numberOf` reads it out of a document. */
async function checkStored(tag: string, numberOf: (document: Document) => number): Promise<Document[]> {
  const documents = await untilStored(find, tag, count);
  assert.deepEqual(
    documents.map(numberOf).sort((a, b) => a - b),
    numbers,
  );
  for (const document of documents) assert.equal(field(document, 'tenant.id'), 'acme');
  return documents;
}

/** The number in `event 17`, wherever it stands. */
const inMessage = (document: Document) => Number(/event (\d+)/.exec(String(field(document, 'message')))?.[1]);
const inAttribute = (document: Document) => Number(field(document, 'attributes.n'));

async function checkClient(name: ClientName, how: string, check: (tag: string) => Promise<unknown>): Promise<void> {
  const skip = (await isInstallable(name)) ? false : `SKIPPED: the toolchain of ${name} is not on this machine`;
  test(`${name}: ${how}`, { skip }, async () => {
    const tag = `client.${name}.${how}`;
    await runClient(name, [String(place.http), tag, String(count), how, token]);
    await check(tag);
  });
}

for (const encoding of ['json', 'protobuf']) {
  await checkClient('npm-opentelemetry', encoding, async (tag) => {
    const documents = await checkStored(tag, inAttribute);
    assert.deepEqual(new Set(texts(documents, 'service.name')), new Set(['shop']));
    assert.deepEqual(new Set(texts(documents, 'kubernetes.pod.name')), new Set(['shop-1']));
    assert.deepEqual(new Set(texts(documents, 'log.level')), new Set(['info']));
    assert(documents.every((document) => field(document, 'message') === `event ${inAttribute(document)}`));
  });
}
for (const library of ['pino-loki', 'winston-loki']) {
  await checkClient('npm-loki', library, async (tag) => {
    const documents = await checkStored(tag, inMessage);
    assert.deepEqual(new Set(texts(documents, 'log.level')), new Set(['info']));
  });
}

test("Elasticsearch's client: client.bulk, the same documents twice", async () => {
  await using client = closing(new Client({ node: `http://127.0.0.1:${place.http}`, auth: { bearer: token } }));
  assert.match((await client.it.info()).tagline, /Sluice/);
  const operations = numbers.flatMap((n) => [
    { create: { _index: 'client-bulk', _id: `id-${n}` } },
    { '@timestamp': '2023-11-14T22:13:20.123Z', message: `event ${n}`, n, log: { level: 'warn' } },
  ]);
  for (let i = 0; i < 2; i += 1) {
    const { errors, items } = await client.it.bulk({ operations });
    assert.equal(errors, false);
    assert.equal(items.length, count);
  }
  const documents = await checkStored('client-bulk', inAttribute);
  assert.deepEqual(new Set(texts(documents, '@timestamp')), new Set(['2023-11-14T22:13:20.123Z']));
  assert.deepEqual(new Set(texts(documents, 'log.level')), new Set(['warn']));
});

test("Elasticsearch's client: helpers.bulk", async () => {
  const auth = { username: 'anyone', password: token };
  await using client = closing(new Client({ node: `http://127.0.0.1:${place.http}`, auth }));
  const result = await client.it.helpers.bulk({
    datasource: numbers.map((n) => ({ message: `event ${n}`, n })),
    onDocument: () => ({ create: { _index: 'helpers-bulk' } }),
    flushBytes: 10_000,
  });
  assert.deepEqual([result.successful, result.failed], [count, 0]);
  await checkStored('helpers-bulk', inAttribute);
});

/** As fluent-bit's `http` output sends them (plugins/out_http, src/flb_pack.c); made by hand after its sources. */
const fluentBitBodies: Record<string, () => { type: string; body: Buffer }> = {
  msgpack: () => ({
    type: 'application/msgpack',
    body: Buffer.concat(
      numbers.flatMap((n) => [Buffer.from('9292d7006553f1001dcd650080', 'hex'), encode({ log: `event ${n}`, n })]),
    ),
  }),
  json_lines: () => ({
    type: 'application/x-ndjson',
    body: Buffer.from(
      numbers.map((n) => `{"date":"2023-11-14T22:13:20.500000Z","log":"event ${n}","n":${n}}`).join('\n'),
    ),
  }),
  json: () => ({
    type: 'application/json',
    body: Buffer.from(`[${numbers.map((n) => `{"date":1700000000.500000,"log":"event ${n}","n":${n}}`).join(',')}]`),
  }),
};
for (const [format, made] of Object.entries(fluentBitBodies)) {
  test(`fluent-bit's http output: ${format}`, async () => {
    const { type, body } = made();
    const tag = `fluent-bit.${format}`;
    const headers = { 'content-type': type, authorization: `Bearer ${token}` };
    const response = await fetch(`http://127.0.0.1:${place.http}/${tag}`, { method: 'POST', body, headers });
    assert.equal(response.status, 200, await response.text());
    const documents = await checkStored(tag, inMessage);
    assert.deepEqual(documents.map(inAttribute), documents.map(inMessage));
    assert.deepEqual(new Set(texts(documents, '@timestamp')), new Set(['2023-11-14T22:13:20.500Z']));
  });
}

const noContainers = whyNoContainers();
for (const format of ['inline', 'raw']) {
  test(`Docker's splunk driver: ${format}`, { skip: noContainers ? `SKIPPED: ${noContainers}` : false }, async () => {
    const name = `splunk-${format}-${process.pid}`;
    const id = await runWithDriver({
      driver: 'splunk',
      options: {
        'splunk-token': token,
        'splunk-url': `http://127.0.0.1:${place.http}`,
        'splunk-format': format,
        'splunk-gzip': 'true',
        'splunk-index': name,
        tag: '{{.FullID}}',
      },
      script: `awk 'BEGIN { for (i = 0; i < ${count}; i++) print "event " i }'`,
    });
    const own = (documents: Document[]) => documents.filter((found) => attribute(found, 'splunk.index') === name);
    const documents = await untilStored(async (tag) => own(await find(tag)), 'splunk', count);
    assert.deepEqual(
      documents.map(inMessage).sort((a, b) => a - b),
      numbers,
    );
    if (format === 'raw') return;
    for (const document of documents) {
      assert.equal(field(document, 'stream'), 'stdout');
      assert.equal(field(document, 'attributes.tag'), id);
      assert.match(String(field(document, 'message')), /^event \d+$/);
    }
  });
}

const noRsyslog = existsSync('/usr/sbin/rsyslogd') ? false : 'SKIPPED: rsyslog is not on this machine';
test("rsyslog's omelasticsearch", { skip: noRsyslog }, async () => {
  const port = await freePort();
  const configuration = join(folder, 'rsyslog.conf');
  await writeFile(
    configuration,
    `module(load="imtcp")
module(load="omelasticsearch")
input(type="imtcp" address="127.0.0.1" port="${port}")
template(name="document" type="list" option.jsonf="on") {
  property(outname="@timestamp" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
  property(outname="service.name" name="programname" format="jsonf")
}
action(type="omelasticsearch" server="127.0.0.1" serverport="${place.http}" uid="rsyslog" pwd="${token}"
       template="document" searchIndex="rsyslog" searchType="" bulkmode="on" queue.type="LinkedList"
       queue.dequeueBatchSize="100" action.resumeRetryCount="-1")
`,
  );
  const daemon = spawn('/usr/sbin/rsyslogd', ['-n', '-f', configuration, '-i', join(folder, 'rsyslog.pid')]);
  const ended = once(daemon, 'close');
  try {
    const socket = await connected(port);
    socket.end(numbers.map((n) => `<14>1 2023-11-14T22:13:20.5Z node app - - - event ${n}\n`).join(''));
    const documents = await checkStored('rsyslog', inMessage);
    assert.deepEqual(new Set(texts(documents, 'service.name')), new Set(['app']));
    assert.deepEqual(new Set(texts(documents, '@timestamp')), new Set(['2023-11-14T22:13:20.500Z']));
  } finally {
    daemon.kill();
    await ended;
  }
});

const systemd = '/lib/systemd';
const noUpload = existsSync(`${systemd}/systemd-journal-upload`)
  ? false
  : 'SKIPPED: systemd-journal-remote is not on this machine';
test('systemd-journal-upload, twice', { skip: noUpload }, async () => {
  // It has no token to show, so it has a program of its own.
  await using own = await newPlace();
  await using sluice = await new SluiceProcess(['run'], own).ready();
  const journal = join(folder, 'test.journal');
  const made = run(`${systemd}/systemd-journal-remote`, ['-o', journal, '-']);
  made.child.stdin?.end(numbers.map(exported).join(''));
  await made;
  for (let i = 0; i < 2; i += 1) {
    const state = join(folder, `state-${i}`);
    const url = `http://127.0.0.1:${own.http}`;
    await run(`${systemd}/systemd-journal-upload`, [
      `--url=${url}`,
      `--file=${journal}`,
      `--save-state=${state}`,
      '--follow=no',
    ]);
  }
  const documents = await untilStored(inEmbeddedStore(own), 'journal', count);
  assert.deepEqual(
    documents.map((document) => Number(field(document, 'attributes.N'))),
    numbers,
  );
  const [first = {}] = documents;
  assert.equal(field(first, 'message'), 'event 0\nof two lines');
  assert.equal(field(first, '@timestamp'), '2023-11-14T22:13:20.000Z');
  assert.equal(field(first, 'log.level'), 'info');
  assert.equal(field(first, 'host.name'), 'node');
  assert.equal(field(first, 'service.name'), 'app');
  assert.equal(field(first, 'container.id'), 'c0ffee');
  assert.equal(await sluice.metric('events_received_total'), 2 * count);
});

/** An entry of a journal, whose message has a line break. */
function exported(n: number): string {
  const message = `event ${n}\nof two lines`;
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(message.length));
  return [
    `__REALTIME_TIMESTAMP=${1_700_000_000_000_000 + n}`,
    `__MONOTONIC_TIMESTAMP=${n + 1}`,
    '_BOOT_ID=1ab1b1b1b1b1b1b1b1b1b1b1b1b1b1b1',
    '_HOSTNAME=node',
    'SYSLOG_IDENTIFIER=app',
    'CONTAINER_ID_FULL=c0ffee',
    'PRIORITY=6',
    `N=${n}`,
    'MESSAGE',
    `${size.toString('latin1')}${message}`,
    '\n',
  ].join('\n');
}

/** A connection to a program that is about to listen. */
async function connected(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isConnected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    if (isConnected) return socket;
    await delay(20);
  }
}

/** Of a name with dots. */
function attribute(document: Document, name: string): unknown {
  const attributes = document['attributes'];
  return typeof attributes === 'object' && attributes !== null ? Reflect.get(attributes, name) : undefined;
}

function closing(it: Client): AsyncDisposable & { readonly it: Client } {
  return { it, [Symbol.asyncDispose]: () => it.close() };
}
