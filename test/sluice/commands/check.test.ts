// `sluice check`: what it tells of the configuration, and of what the configuration names.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { freePort } from '#test/backends/free-port.ts';
import { run } from '../../../services/sluice/commands/check.ts';
import { Page } from '../command-runner.ts';

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-check-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

type Environment = Readonly<Record<string, string>>;

async function sluiceCheck(env: Environment, args: string[] = []): Promise<{ code: number; lines: string[] }> {
  const own = {
    SLUICE_DATA_DIR: folder,
    SLUICE_FORWARD_LISTEN: '127.0.0.1:0',
    SLUICE_HTTP_LISTEN: '127.0.0.1:0',
    SLUICE_ADMIN_LISTEN: '127.0.0.1:0',
  };
  const config = loadConfig({ env: { ...own, ...env }, readFile: () => '' });
  const stdout = new Page();
  const { signal } = new AbortController();
  const code = await run(args, { config, stdout, stderr: new Page(), signal, clock: systemClock });
  return { code, lines: stdout.text.split('\n') };
}

/** Each of `says` must be found in a line of its own. */
function check(
  title: string,
  env: Environment | (() => Promise<Environment>),
  expected: { code: number; says: RegExp[] },
): void {
  test(title, async () => {
    const { code, lines } = await sluiceCheck(typeof env === 'function' ? await env() : env);
    for (const pattern of expected.says) {
      assert.equal(lines.filter((line) => pattern.test(line)).length, 1, `${pattern} in\n${lines.join('\n')}`);
    }
    assert.equal(code, expected.code, lines.join('\n'));
  });
}

check(
  'all embedded',
  {},
  {
    code: 0,
    says: [/^SLUICE_DATA_DIR=/, /^ok {6}Data folder .*MiB free/, /^ok {6}Address .*\(SLUICE_FORWARD_LISTEN\): is free/],
  },
);

test('leaves nothing behind', () => assert.deepEqual(readdirSync(folder), []));

check('a folder that is not there yet', () => Promise.resolve({ SLUICE_DATA_DIR: join(folder, 'a/b') }), {
  code: 0,
  says: [/^ok {6}Data folder .*it is made at the start/],
});

check(
  'a budget of dead letters in which the largest never finds a place',
  { SLUICE_QUEUE_MAX_BYTES: '128MiB' },
  { code: 0, says: [/^weak {4}Dead letters.* raise SLUICE_QUEUE_DEAD_LETTERS_MAX_BYTES to 256MiB/] },
);

check(
  'a folder that cannot be written',
  { SLUICE_DATA_DIR: '/proc/sluice' },
  {
    code: 1,
    says: [/^failed {2}Data folder \/proc\/sluice: cannot be written: .*; .*SLUICE_DATA_DIR/],
  },
);

check(
  'an address of another machine, and one that is named twice',
  {
    SLUICE_SHARED_KEY: 'shared-key',
    SLUICE_HTTP_LISTEN: '127.0.0.1:7',
    SLUICE_ADMIN_LISTEN: '127.0.0.1:7',
    SLUICE_FORWARD_LISTEN: '192.0.2.1:24224',
  },
  {
    code: 1,
    says: [
      /^failed {2}Address 192.0.2.1:24224 .*no such address/,
      /^failed {2}Address 127.0.0.1:7 .*SLUICE_HTTP_LISTEN has the same/,
    ],
  },
);

test('an address that is in use may be that of this Sluice', async () => {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const { code, lines } = await sluiceCheck({ SLUICE_HTTP_LISTEN: `127.0.0.1:${port}` });
  server.close();
  assert.equal(code, 0);
  assert.ok(
    lines.some((line) => /^weak .*SLUICE_HTTP_LISTEN\): the address is in use/.test(line)),
    lines.join('\n'),
  );
});

test('brokers that cannot be reached, each on its line', async () => {
  const brokers = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const { code, lines } = await sluiceCheck({ SLUICE_KAFKA_BROKERS: brokers.join(), SLUICE_STORE: 'embedded' });
  assert.equal(code, 1);
  const told = lines.filter((line) => line.startsWith('failed'));
  assert.equal(told.length, 2, lines.join('\n'));
  for (const [i, broker] of brokers.entries()) {
    assert.match(told[i] ?? '', new RegExp(`Kafka at ${broker}: .*ECONNREFUSED.*SLUICE_KAFKA_BROKERS`));
  }
});

async function elasticsearch(answer: RequestListener): Promise<AsyncDisposable & { host: string }> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('Elasticsearch: each node, its login, its template; passwords of URLs are masked', async () => {
  let status = 200;
  let template: string | null = null;
  const paths: string[] = [];
  await using node = await elasticsearch((request, response) => {
    paths.push(request.url ?? '');
    const isTemplate = request.url?.includes('_index_template') === true;
    response.writeHead(isTemplate && template === null ? 404 : status, {
      'x-elastic-product': 'Elasticsearch',
      'content-type': 'application/json',
    });
    const body = isTemplate ? template : '{"version":{"number":"9.5.3"}}';
    response.end(status === 200 ? (body ?? '{"error":"no"}') : '{"error":"no"}');
  });
  const gone = `127.0.0.1:${await freePort()}`;
  const env = { SLUICE_ELASTICSEARCH_URL: `http://someone:s3cr%40t@${node.host},http://someone:s3cret@${gone}` };
  const first = await sluiceCheck(env);
  const all = first.lines.join('\n');
  assert.equal(first.code, 1, all);
  assert.match(all, /^ok {6}Elasticsearch at http:\/\/\*{8}@[\d.:]+: answers, Elasticsearch 9\.5\.3$/m);
  assert.match(all, /^failed {2}Elasticsearch at http:\/\/\*{8}@.*SLUICE_ELASTICSEARCH_URL/m);
  assert.match(all, /^failed {2}Elasticsearch template sluice-logs: is not there: run `sluice setup`$/m);
  assert.doesNotMatch(all, /s3cr/);
  const templateLine = async (): Promise<string | undefined> =>
    (await sluiceCheck(env)).lines.find((line) => line.includes('template sluice-logs'));
  template = '{"index_templates":[{"name":"sluice-logs","index_template":{"template":{"mappings":{}}}}]}';
  assert.match((await templateLine()) ?? '', /^weak .*: is of an older version: run `sluice setup`$/);
  template = '{"index_templates":[{"index_template":{"composed_of":["sluice-logs@mappings"]}}]}';
  assert.match((await templateLine()) ?? '', /^ok .*: is there$/);
  template = null;
  status = 401;
  const refused = await sluiceCheck(env);
  assert.match(refused.lines.join('\n'), /^failed {2}Elasticsearch at .*401.*SLUICE_ELASTICSEARCH_API_KEY/m);
  paths.length = 0;
  const offline = await sluiceCheck(env, ['--offline']);
  assert.equal(offline.code, 0);
  assert.deepEqual(paths, []);
  assert.doesNotMatch(offline.lines.join('\n'), /s3cr|^(ok|failed|weak)/m);
});

test('files of certificates that cannot be used are mistakes of the configuration', async () => {
  const rubbish = join(folder, 'rubbish.pem');
  writeFileSync(rubbish, 'nothing');
  chmodSync(rubbish, 0o600);
  await assert.rejects(
    sluiceCheck({ SLUICE_KAFKA_TLS_CA: '/none.pem', SLUICE_ELASTICSEARCH_CA: '/nil.pem' }, ['--offline']),
    {
      code: 'config_invalid',
      message: /^SLUICE_KAFKA_TLS_CA: cannot read \/none\.pem.*\nSLUICE_ELASTICSEARCH_CA: cannot read \/nil\.pem/,
    },
  );
  await assert.rejects(sluiceCheck({ SLUICE_KAFKA_TLS_CERT: rubbish, SLUICE_KAFKA_TLS_KEY: rubbish }, ['--offline']), {
    code: 'config_invalid',
    message: /belong together/,
  });
  const url = { SLUICE_ELASTICSEARCH_URL: 'https://localhost:9200' };
  const kibana = { ...url, SLUICE_KIBANA_URL: 'https://localhost:5601', SLUICE_KIBANA_CA: '/no-kibana.pem' };
  await assert.rejects(sluiceCheck(kibana, ['--offline']), {
    code: 'config_invalid',
    message: /^SLUICE_KIBANA_CA: cannot read \/no-kibana\.pem/,
  });
  const client = { ...url, SLUICE_ELASTICSEARCH_CERT: rubbish, SLUICE_ELASTICSEARCH_KEY: rubbish };
  await assert.rejects(sluiceCheck(client, ['--offline']), {
    code: 'config_invalid',
    message: /^SLUICE_ELASTICSEARCH_CERT and _KEY: .*belong together/,
  });
  rmSync(rubbish);
});
