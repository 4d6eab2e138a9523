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

const FILES_SHOWN = 3;

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
  const files = (config['collect.files'] ?? []).flatMap(({ include }) => include);
  const driver = `--log-opt fluentd-address=${forward} --log-opt tag=hello ${LABELS}`;
  const samples = [
    `docker run --rm --log-driver=fluentd ${driver} busybox echo hello`,
    `curl --json '{"message":"hello"}' ${scheme}://${http}/app.web`,
  ];
  // Who has log files has lines to look at.
  const tries = [...(files.length > 0 ? [] : samples), 'npx sluice logs -f'];
  return `Sluice is up.${line('Files', someOf(files))}
  Forward   ${forward}
  HTTP      ${scheme}://${http}${line('Syslog', syslog)}${line('GELF', gelf)}
  Metrics   ${adminScheme}://${admin}/metrics${line('Search', api)}
  Queue     ${queue}
  Store     ${store}

Try:
  ${tries.join('\n  ')}
`;
}

/** A shell that expands a pattern gives very many. */
function someOf(files: readonly string[]): string[] {
  const more = files.length - FILES_SHOWN;
  return [...files.slice(0, FILES_SHOWN), ...(more > 0 ? [`and ${more} more`] : [])];
}

function line(name: string, addresses: readonly string[]): string {
  return addresses.length === 0 ? '' : `\n  ${name.padEnd(10)}${addresses.join(', ')}`;
}
