// The certificates and keys of connections to Kafka, Elasticsearch and Kibana: read and parsed here as a connection
// does later.

import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { type Config, variableOf } from '#shared/config/settings.ts';
import { reasonOf } from '#shared/errors.ts';

/** `with`: files that have to fit each other; one without it stands alone. */
const FILES = [
  { setting: 'kafka.tls_ca', part: 'ca', with: 'kafka' },
  { setting: 'kafka.tls_cert', part: 'cert', with: 'kafka' },
  { setting: 'kafka.tls_key', part: 'key', with: 'kafka' },
  { setting: 'kafka.sasl.token_ca', part: 'ca', with: null },
  { setting: 'elasticsearch.ca', part: 'ca', with: null },
  { setting: 'elasticsearch.cert', part: 'cert', with: 'elasticsearch' },
  { setting: 'elasticsearch.key', part: 'key', with: 'elasticsearch' },
  { setting: 'kibana.ca', part: 'ca', with: null },
] as const;

const NAMES = {
  kafka: 'SLUICE_KAFKA_TLS_CA, _CERT and _KEY',
  elasticsearch: 'SLUICE_ELASTICSEARCH_CERT and _KEY',
} as const;

/** A line for each file that cannot be used. */
export function fileMistakes(config: Config): string[] {
  const mistakes: string[] = [];
  const together: Record<keyof typeof NAMES, SecureContextOptions> = { kafka: {}, elasticsearch: {} };
  for (const { setting, part, with: others } of FILES) {
    const path = config[setting];
    if (path === undefined) continue;
    try {
      const text = readFileSync(path, 'utf8');
      if (others === null) createSecureContext({ [part]: text });
      else together[others][part] = text;
    } catch (error) {
      mistakes.push(
        `${variableOf(setting)}: cannot read ${path}: ${reasonOf(error)}; name a PEM file that can be read`,
      );
    }
  }
  if (mistakes.length > 0) return mistakes;
  for (const peer of ['kafka', 'elasticsearch'] as const) {
    try {
      createSecureContext(together[peer]);
    } catch (error) {
      const why = `the files are no certificate, key and authority that belong together (${reasonOf(error)})`;
      mistakes.push(`${NAMES[peer]}: ${why}; name PEM files that do`);
    }
  }
  return mistakes;
}
