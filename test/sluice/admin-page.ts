// An operators' page of a test, as services start it, and a client that asks it as a scraper does.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type RequestOptions, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { type Clock, systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { startAdminPage } from '../../services/sluice/admin/page.ts';

/** Its folder is removed by whoever imports it. */
export const authority = new Authority();
const server = authority.issue({ name: 'some.name', alternatives: 'DNS:some.name' });
export const TOKEN = 'a-secret-token';

function configOf(env: Readonly<Record<string, string>>): Config {
  return loadConfig({ env: { SLUICE_ADMIN_LISTEN: '127.0.0.1:0', ...env }, readFile: () => '' });
}

interface Line {
  readonly event: string;
  readonly reason?: string;
  readonly who?: string;
  readonly count?: number;
}

/** A page; `config`: with its address as bound. */
export async function open(env: Readonly<Record<string, string>>, clock: Clock = systemClock) {
  const lines: (Line & Record<string, unknown>)[] = [];
  const log = createLog('info', systemClock, { lines: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  const metrics = new Metrics({ version: '0', command: 'test' });
  const config = configOf(env);
  const page = await startAdminPage(
    { config, clock, log, metrics },
    {
      metrics: (accept) => metrics.render(accept),
      unreadyReasons: () => ['broker-7 is away'],
      actions: [
        {
          path: '/do',
          about: '',
          async *run() {
            yield 'done\n';
          },
        },
      ],
    },
  );
  return { lines, metrics, config: { ...config, 'admin.listen': page.address }, [Symbol.asyncDispose]: page.close };
}

interface Asking extends RequestOptions {
  readonly cert?: string;
  readonly key?: string;
}

/** As a scraper asks. */
export async function ask(config: Config, path: string, { cert, key, ...options }: Asking = {}) {
  const [host = '', port] = config['admin.listen'].split(':');
  const to = { host, port, path, agent: false, ...options };
  const asked = config['admin.tls.cert']
    ? tlsRequest({
        ...to,
        ca: readFileSync(authority.certificate.cert),
        servername: 'some.name',
        ...(cert && key && { cert: readFileSync(cert), key: readFileSync(key) }),
      })
    : plainRequest(to);
  asked.end(options.method === 'POST' ? '{}' : undefined);
  const [response] = await once(asked, 'response');
  return { status: response.statusCode as number, headers: response.headers, body: await text(response) };
}

export const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
export const post = (headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', 'content-length': '2', ...headers },
});
export const tls = (certificate = server) => ({
  SLUICE_ADMIN_TLS_CERT: certificate.cert,
  SLUICE_ADMIN_TLS_KEY: certificate.key,
});
