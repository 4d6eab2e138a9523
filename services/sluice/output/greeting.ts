// What `sluice run` prints when it is up: where it listens, and commands to try.

import type { Config } from '#shared/config/settings.ts';
import { maskedUrl } from '#shared/config/value-text.ts';

export interface Addresses {
  /** host:port as bound. */
  readonly forward: string;
  readonly http: string;
  readonly syslog: readonly string[];
  readonly gelf: readonly string[];
  readonly admin: string;
  /** Null: there is no read API. */
  readonly read: string | null;
}

/** Docker sends labels only if asked: those by which a container says where it belongs, and Compose's own. */
const LABELS = String.raw`--log-opt labels-regex='^(sluice|com\.docker\.compose)\.'`;

export function greeting(config: Config, { forward, http, syslog, gelf, admin, read }: Addresses): string {
  const queue =
    config['queue'] === 'kafka'
      ? `Kafka at ${config['kafka.brokers']?.map(maskedUrl).join(', ')}`
      : `embedded, in ${config['data.dir']}`;
  const store =
    config['store'] === 'elasticsearch'
      ? `Elasticsearch at ${config['elasticsearch.url']?.map(maskedUrl).join(', ')}`
      : `embedded, in ${config['data.dir']}`;
  const scheme = config['tls.cert'] === undefined ? 'http' : 'https';
  const adminScheme = config['admin.tls.cert'] === undefined ? 'http' : 'https';
  const readScheme = config['read.tls.cert'] === undefined ? 'http' : 'https';
  const api = read === null ? [] : [`${readScheme}://${read}/api/search`];
  return `Sluice is up.
  Forward   ${forward}
  HTTP      ${scheme}://${http}${line('Syslog', syslog)}${line('GELF', gelf)}
  Metrics   ${adminScheme}://${admin}/metrics${line('Search', api)}
  Queue     ${queue}
  Store     ${store}

Try:
  docker run --rm --log-driver=fluentd --log-opt fluentd-address=${forward} --log-opt tag=hello ${LABELS} busybox echo hello
  curl --json '{"message":"hello"}' ${scheme}://${http}/app.web
  npx sluice logs -f
`;
}

function line(name: string, addresses: readonly string[]): string {
  return addresses.length === 0 ? '' : `\n  ${name.padEnd(10)}${addresses.join(', ')}`;
}
