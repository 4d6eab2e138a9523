// Who is asked, with what, and what is said where that goes wrong.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import type { Command } from '../../../services/sluice/process/command.ts';
import * as completion from '../../../services/sluice/commands/completion.ts';
import * as logs from '../../../services/sluice/commands/logs.ts';
import * as search from '../../../services/sluice/commands/search.ts';
import { openSearched } from '../../../services/sluice/remote/open-searched.ts';
import { systemClock } from '#shared/clock.ts';
import { Page } from '../command-runner.ts';
import { RunningApi } from '../read/running-api.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-asking-'));
const authority = new Authority();
after(() => {
  rmSync(folder, { recursive: true });
  authority[Symbol.dispose]();
});

const ACME = 'the-token-of-acme';
const ALL = 'the-token-of-all-of-them';
const tokens = join(folder, 'readers.yaml');
writeFileSync(tokens, `- { token: ${ACME}, tenant: acme }\n- { token: ${ALL}, tenant: '*' }\n`);

async function ran(command: Command, args: string[], settings: Readonly<Record<string, string>>) {
  await using base = await RunningApi.open();
  const config = { ...base.config, ...settings };
  const [stdout, stderr] = [new Page(), new Page()];
  const commands = { logs: () => Promise.resolve(logs), search: () => Promise.resolve(search) };
  const { signal } = new AbortController();
  const code = await command.run(args, { config, stdout, stderr, signal, clock: systemClock, commands });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

async function refused(args: string[], settings: Readonly<Record<string, string>>, code: string, message: RegExp) {
  await assert.rejects(ran(search, args, settings), (error: Error & { code: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

async function answering(answer: RequestListener, use: (url: string, server: Server) => Promise<void>): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, server);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('by TLS with a token: the documents of its tenant, in every way of asking', async () => {
  const server = authority.issue({ name: 'server', alternatives: 'IP:127.0.0.1' });
  const env = { SLUICE_READ_TOKENS: tokens, SLUICE_READ_TLS_CERT: server.cert, SLUICE_READ_TLS_KEY: server.key };
  await using api = await RunningApi.open({ env });
  await api.write(
    ['acme', 'beta'].flatMap((tenant) =>
      [1, 2, 3].map((n) => ({
        message: `of ${tenant} ${n}`,
        tenant: { id: tenant },
        container: { name: `web-${tenant}` },
        attributes: { n, [`only_${tenant}`]: 1 },
      })),
    ),
  );
  const url = `https://127.0.0.1:${api.port}`;
  const own = { 'read.url': url, 'read.token': ACME, 'read.ca': authority.certificate.cert };
  const { stdout: text } = await ran(search, ['*', '--json'], own);
  assert.equal(text.match(/of acme/g)?.length, 3);
  const asked: readonly [command: Command, args: string[]][] = [
    [search, ['*']],
    [search, ['of', '-C', '2']],
    [search, ['* | count by tenant, n']],
    [search, ['* | count']],
    [search, ['only_beta:* OR NOT only_acme:*']],
    [search, ['onli_acme:1']],
    [search, ['* | fields message, only_beta']],
    [logs, []],
    [logs, ['web-acme', '-n', '2']],
    [completion, ['words', '--', 'logs', '']],
    [completion, ['words', '--', 'search', '--tenant', '']],
  ];
  for (const [command, args] of asked) {
    const { stdout, stderr } = await ran(command, args, own);
    const [told] = /beta/.exec(`${stdout}${stderr}`) ?? [];
    // The name of a column that was asked for.
    if (!args.join().includes('beta')) assert.equal(told, undefined, `${args.join(' ')}: ${stdout}${stderr}`);
    else assert.doesNotMatch(stdout, /of beta/);
    assert.notEqual(`${stdout}${stderr}`, '', args.join(' '));
  }
  assert.match((await ran(search, ['* | count'], own)).stdout, /\b3\b/);
  assert.match((await ran(search, ['* | count'], { ...own, 'read.token': ALL })).stdout, /\b6\b/);
  assert.match((await ran(search, ['* | count', '--tenant', 'beta'], { ...own, 'read.token': ALL })).stdout, /\b3\b/);
  await refused(['x', '--tenant', 'beta'], own, 'tenant_refused', /another tenant/);
  await refused(
    ['x'],
    { ...own, 'read.token': 'no-such-token-of-all' },
    'unauthorized',
    /knows no such token; .*READ_TOKEN/,
  );
  await refused(['x'], { 'read.url': url, 'read.ca': authority.certificate.cert }, 'unauthorized', /asks for a token/);
  await refused(['x'], { 'read.url': url, 'read.token': ACME }, 'store_unavailable', /certificate|issuer/);
  await refused(['x'], { ...own, 'read.ca': join(folder, 'none') }, 'config_invalid', /SLUICE_READ_CA/);
  const { stderr } = await ran(logs, ['nobody'], own);
  assert.match(stderr, /the store has no container, service, pod or tag of that name/);
});

test('a token that goes over the network in the clear is told', async () => {
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  await using base = await RunningApi.open();
  for (const url of ['http://logs.invalid:1', 'http://127.0.0.1:1', 'https://logs.invalid:1']) {
    const config = { ...base.config, 'read.token': ACME };
    await assert.rejects(openSearched(config, { url, clock: systemClock, warn, signal: AbortSignal.abort() }));
  }
  assert.match(
    warnings.join('\n'),
    /^The token of SLUICE_READ_TOKEN goes to http:\/\/logs.invalid:1 unencrypted[^\n]*$/,
  );
});

test('--url counts before the setting, and a unix socket is an address', async () => {
  const env = { SLUICE_READ_LISTEN: `unix:${join(folder, 'read.sock')}` };
  await using api = await RunningApi.open({ env });
  await api.write([{ message: 'by the socket' }]);
  const url = `unix:${join(folder, 'read.sock')}`;
  const { stdout } = await ran(logs, ['--url', url], { 'read.url': 'http://127.0.0.1:1' });
  assert.equal(stdout, 'by the socket\n');
});

test('the token is shown to the server of the settings alone, if they name one', async () => {
  const shown: (string | undefined)[] = [];
  const server = createServer(({ headers }, response) => {
    shown.push(headers.authorization);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await using base = await RunningApi.open();
  const ask = async (named: string | undefined): Promise<string[]> => {
    const told: string[] = [];
    const config = { ...base.config, 'read.token': ACME, 'read.url': named };
    await assert.rejects(openSearched(config, { url, clock: systemClock, warn: (what) => told.push(what) }));
    return told;
  };
  assert.match((await ask('http://127.0.0.1:1')).join(), /not shown to this server/);
  assert.deepEqual(await ask(`${url}/api`), []);
  assert.deepEqual(await ask(undefined), []);
  assert.deepEqual(shown, [undefined, `Bearer ${ACME}`, `Bearer ${ACME}`]);
  server.close();
});

test('says what is wrong with the address, and what answers there', async () => {
  for (const url of ['logs.example:24233', 'ftp://x', 'http://u:p@x', 'https://x/?q=1'])
    await refused(['x', '--url', url], {}, 'config_invalid', /is no such URL; give one like https:/);
  await refused(['x', '--url', 'http://127.0.0.1:1'], {}, 'store_unavailable', /ECONNREFUSED/);
  await refused(['x', '--url', `unix:${join(folder, 'none')}`], {}, 'store_unavailable', /ENOENT/);
  const check = (answer: RequestListener, code: string, message: RegExp) =>
    answering(answer, (url) => refused(['x', '--url', url], {}, code, message));
  const said = (status: number, body: string): RequestListener => {
    return (_request, response) => void response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(body);
  };
  const unknown = JSON.stringify({ error: { code: 'path_unknown', message: 'Cannot answer' } });
  await check(said(404, unknown), 'store_refused', /older than this sluice/);
  await check(
    said(404, 'nothing here'),
    'store_refused',
    /it answered 404; see whether it is the address of a read API/,
  );
  await check(said(302, ''), 'store_refused', /it answered 302/);
  await check(said(502, 'bad gateway'), 'store_unavailable', /it answered 502/);
  await check(said(200, '<html>'), 'store_refused', /none of the read API/);
  await check(said(200, '{"store":"other","found_after_ms":0}'), 'store_refused', /none of the read API/);
});

test('asks again when it is told that there are too many searches, for a limited time', async () => {
  const store = '{"store":"embedded","version":"0","found_after_ms":0}';
  const full = JSON.stringify({ error: { code: 'searches_full', message: 'Cannot answer: ask later' } });
  const page = '{"documents":[{"id":"a","index":"i","sort":["1",1,1],"source":{"message":"found it"}}],"bytes":9}\n';
  const busy = (times: number, later: string): RequestListener => {
    let left = times;
    return (request, response) => {
      if (request.url === '/api/store') return void response.end(store);
      if (left-- > 0) return void response.writeHead(429, { 'retry-after': later }).end(full);
      response.end(`${page}{"is_last":true,"warnings":[]}\n`);
    };
  };
  await answering(busy(2, '0'), async (url) => {
    const { code, stdout } = await ran(search, ['x', '--url', url], {});
    assert.equal(code, 0);
    assert.match(stdout, /found it/);
  });
  for (const later of ['61', 'Wed, 21 Oct 2015 07:28:00 GMT', ''])
    await answering(busy(1, later), (url) => refused(['x', '--url', url], {}, 'searches_full', /ask later/));
});

test('an answer of another form is none of the read API', async () => {
  const store = '{"store":"embedded","version":"0","found_after_ms":0}';
  const end = '{"is_last":true,"warnings":[]}\n';
  const check = (answer: string, args: string[] = ['x']): Promise<void> =>
    answering(
      (request, response) => void response.end(request.url === '/api/store' ? store : answer),
      (url) => refused([...args, '--url', url], {}, 'store_refused', /none of the read API/),
    );
  for (const first of [
    '{}',
    '{"documents":1,"bytes":1}',
    '{"documents":[1],"bytes":1}',
    'null',
    '[]',
    '{"documents":[{"id":1}],"bytes":1}',
  ])
    await check(`${first}\n${end}`);
  for (const last of ['{"is_last":true}', '{"is_last":1,"warnings":[]}', 'null', '7']) await check(`${last}\n`);
  for (const rows of [
    '{}',
    'null',
    '{"columns":[1],"rows":[],"read":0,"told":[],"warnings":[]}',
    '{"columns":["a"],"rows":[1]}',
  ])
    await check(rows, ['x | count']);
  await answering(
    (_request, response) => void response.end('null'),
    (url) => refused(['x', '--url', url], {}, 'store_refused', /none of the read API/),
  );
});

test('what is broken off is not taken for the whole', async () => {
  const store = '{"store":"embedded","version":"0","found_after_ms":0}';
  const page = '{"documents":[{"id":"a","index":"i","sort":["1",1,1],"source":{"message":"x"}}],"bytes":9}\n';
  const end = '{"is_last":true,"warnings":[]}\n';
  const check = (pages: readonly string[], isCut: boolean, code: string, message: RegExp) =>
    answering(
      (request, response) => {
        if (request.url === '/api/store') return void response.end(store);
        for (const one of pages) response.write(one);
        if (!isCut) return void response.end();
        setImmediate(() => response.destroy());
      },
      (url) => refused(['x', '--url', url], {}, code, message),
    );
  await check([page], false, 'store_unavailable', /its end is missing/);
  await check([page, end.slice(0, -1)], false, 'store_unavailable', /its end is missing/);
  await check([page, end], true, 'store_unavailable', /broken off/);
  await check([page.slice(0, -9), `\n${end}`], false, 'store_refused', /cannot be read/);
  await check(['{"is_last":false,"warnings":[]}\n'], false, 'store_refused', /says that there is more/);
  const nothing = '{"documents":[],"bytes":0}\n{"is_last":false,"warnings":[]}\n';
  await check([nothing], false, 'store_refused', /says that there is more/);
});

test('a connection that was kept and closed there is no error', async () => {
  let asked = 0;
  await answering(
    (request, response) => {
      asked += 1;
      if (request.url !== '/api/store') {
        response.end('{"documents":[],"bytes":0}\n{"is_last":true,"warnings":["damaged"]}\n');
        return;
      }
      response.end('{"store":"embedded","version":"0","found_after_ms":0}');
      response.on('finish', () => setImmediate(() => request.socket.destroy()));
    },
    async (url) => {
      const { stderr } = await ran(search, ['x', '--url', url], {});
      assert.equal(stderr, 'sluice: damaged\n');
    },
  );
  assert(asked >= 2);
});
