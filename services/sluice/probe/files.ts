// The certificates and keys of connections to Kafka and Elasticsearch: read and parsed here as a connection does later.

import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { type Config, variableOf } from '#shared/config/settings.ts';
import { reasonOf } from '#shared/errors.ts';

const FILES = [
  { setting: 'kafka.tls_ca', part: 'ca' },
  { setting: 'kafka.tls_cert', part: 'cert' },
  { setting: 'kafka.tls_key', part: 'key' },
  { setting: 'elasticsearch.ca', part: 'ca' },
] as const;

/** A line for each file that cannot be used. */
export function fileMistakes(config: Config): string[] {
  const mistakes: string[] = [];
  const kafka: SecureContextOptions = {};
  for (const { setting, part } of FILES) {
    const path = config[setting];
    if (path === undefined) continue;
    try {
      const text = readFileSync(path, 'utf8');
      if (setting === 'elasticsearch.ca') createSecureContext({ ca: text });
      else kafka[part] = text;
    } catch (error) {
      mistakes.push(
        `${variableOf(setting)}: cannot read ${path}: ${reasonOf(error)}; name a PEM file that can be read`,
      );
    }
  }
  if (mistakes.length > 0) return mistakes;
  try {
    createSecureContext(kafka);
    return [];
  } catch (error) {
    const why = `the files are no certificate, key and authority that belong together (${reasonOf(error)})`;
    return [`SLUICE_KAFKA_TLS_CA, _CERT and _KEY: ${why}; name PEM files that do`];
  }
}
