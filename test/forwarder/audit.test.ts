// Each way to be refused by an input has its audit line: which input, why, who. What a sender showed is in none of
// them.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { startForwarder } from '#forwarder/main.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { Answers, ping } from '#test/forwarder/accept/forward/handshake-client.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { RecordingQueue } from './intake/recording-queue.ts';

const authority = new Authority();
after(() => authority[Symbol.dispose]());
const server = authority.issue({ name: 'localhost' });
const tokens = join(authority.folder, 'tokens.yaml');
writeFileSync(tokens, '- { token: the-right-token }\n');
const TLS = { SLUICE_TLS_CERT: server.cert, SLUICE_TLS_KEY: server.key };
const SECRET = 'hunter2-hunter2';

interface Ports {
  readonly forward: number;
  readonly http: number;
  readonly syslog: number;
}

function check(
  what: string,
  env: Readonly<Record<string, string>>,
  knock: (ports: Ports) => unknown,
  expected: { readonly input: string; readonly reason: string },
): void {
  test(`${expected.input}: ${what}`, async () => {
    const lines: Record<string, unknown>[] = [];
    const log = createLog('info', systemClock, {
      lines: { write: (line: string) => void lines.push(JSON.parse(line)) },
    });
    const config = loadConfig({
      env: {
        SLUICE_FORWARD_LISTEN: '127.0.0.1:0',
        SLUICE_HTTP_LISTEN: '127.0.0.1:0',
        SLUICE_DATA_DIR: authority.folder,
        ...env,
      },
      readFile: () => '',
    });
    const metrics = new Metrics({ version: '0', command: 'test' });
    await using forwarder = await startForwarder({
      config,
      queue: new RecordingQueue(),
      metrics,
      log,
      clock: systemClock,
    });
    const portOf = (address = ''): number => Number(address.split(':').at(-1));
    const { forward, http, syslog } = forwarder.addresses;
    await knock({ forward: portOf(forward), http: portOf(http), syslog: portOf(syslog[0]) });
    const refusal = () => lines.find(({ event }) => event === 'access_refused');
    while (!refusal()) await new Promise((resolve) => setImmediate(resolve));
    const { input, reason, peer, count, level } = refusal()!;
    assert.deepEqual(
      { input, reason, peer, count, level },
      { ...expected, peer: '127.0.0.1', count: 1, level: 'warn' },
    );
    assert.doesNotMatch(JSON.stringify(lines), new RegExp(SECRET));
  });
}

const post = (headers: Record<string, string> = {}) => ({
  method: 'POST',
  body: `{"secret":"${SECRET}"}`,
  headers: { 'content-type': 'application/json', ...headers },
});
const knock = async (port: number, text = ''): Promise<void> => {
  const socket = connect(port, '127.0.0.1').on('error', () => {});
  socket.write(text);
  await new Promise((resolve) => socket.resume().on('close', resolve));
};
const elsewhere = { SLUICE_ALLOW_NETWORKS: '192.0.2.0/24' };
const ofNetwork = (input: string) => ({ input, reason: 'network_refused' });

check('a network that may not send', elsewhere, ({ forward }) => void knock(forward), ofNetwork('forward'));
check('a network that may not send', elsewhere, ({ http }) => knock(http), ofNetwork('http'));
const syslog = { SLUICE_SYSLOG_LISTEN: '127.0.0.1:0' };
check('a network that may not send', { ...elsewhere, ...syslog }, (ports) => knock(ports.syslog), ofNetwork('syslog'));
const datagram = async (port: number): Promise<void> => {
  const socket = createSocket('udp4');
  await new Promise((resolve) => socket.send(`<13>${SECRET}`, port, '127.0.0.1', resolve));
  socket.close();
};
check('its datagrams', { ...elsewhere, ...syslog }, (ports) => datagram(ports.syslog), ofNetwork('syslog'));
check('its heartbeats', elsewhere, ({ forward }) => datagram(forward), ofNetwork('forward'));

check('no token', { SLUICE_HTTP_TOKENS: tokens }, ({ http }) => fetch(`http://127.0.0.1:${http}/app`, post()), {
  input: 'http',
  reason: 'token_missing',
});
const wrong = post({ authorization: `Bearer ${SECRET}` });
check('a wrong token', { SLUICE_HTTP_TOKENS: tokens }, ({ http }) => fetch(`http://127.0.0.1:${http}/app`, wrong), {
  input: 'http',
  reason: 'token_wrong',
});
const browser = post({ origin: `https://evil.example` });
check('a page in a browser', {}, ({ http }) => fetch(`http://127.0.0.1:${http}/app`, browser), {
  input: 'http',
  reason: 'origin_refused',
});
const slow = { SLUICE_RATE_EXEMPT_NETWORKS: '192.0.2.1', SLUICE_RATE_REQUESTS_PER_ADDRESS: '1' };
const many = async ({ http }: Ports): Promise<void> => {
  for (let i = 0; i < 11; i++) await fetch(`http://127.0.0.1:${http}/app`, post());
};
check('too many requests', slow, many, { input: 'http', reason: 'rate_limited' });
const oneOnly = { SLUICE_FORWARD_MAX_CONNECTIONS_PER_ADDRESS: '1' };
const two = async ({ forward }: Ports): Promise<void> => {
  const first = connect(forward, '127.0.0.1').on('error', () => {});
  await once(first, 'connect');
  void knock(forward);
};
check('too many connections', oneOnly, two, { input: 'forward', reason: 'too_many' });
const rare = { SLUICE_RATE_EXEMPT_NETWORKS: '192.0.2.1', SLUICE_RATE_CONNECTIONS_PER_ADDRESS: '1', ...syslog };
const often = async (ports: Ports): Promise<void> => {
  for (let i = 0; i < 11; i++) connect(ports.syslog, '127.0.0.1').on('error', () => {});
};
check('connections too often', rare, often, { input: 'syslog', reason: 'too_fast' });

check('no TLS', TLS, ({ forward }) => knock(forward, `${SECRET}${'x'.repeat(100)}\r\n\r\n`), {
  input: 'forward',
  reason: 'tls_failed',
});
check('no TLS', TLS, ({ http }) => knock(http, `GET /${SECRET} HTTP/1.1\r\n\r\n`), {
  input: 'http',
  reason: 'tls_failed',
});
const mutual = { ...TLS, SLUICE_TLS_CLIENT_CA: authority.certificate.cert };
const anonymous = async (port: number): Promise<void> => {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }).on('error', () => {});
  await new Promise((resolve) => socket.resume().on('close', resolve));
};
for (const input of ['forward', 'http'] as const) {
  check('no certificate', mutual, (ports) => anonymous(ports[input]), { input, reason: 'certificate_refused' });
}
const securely = { ...mutual, SLUICE_SYSLOG_TLS_LISTEN: '127.0.0.1:0' };
check('no certificate', securely, (ports) => anonymous(ports.syslog), {
  input: 'syslog',
  reason: 'certificate_refused',
});

const shake = async ({ forward }: Ports): Promise<void> => {
  const socket = connect(forward, '127.0.0.1');
  const answers = new Answers(socket);
  socket.write(ping(await answers.helo(), { key: SECRET }));
  await answers.next();
  socket.destroy();
};
check('a wrong key', { SLUICE_SHARED_KEY: 'the key' }, shake, { input: 'forward', reason: 'shared_key_wrong' });
