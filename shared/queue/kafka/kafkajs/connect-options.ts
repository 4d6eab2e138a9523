// How a client connects: brokers, TLS, SASL and time limits, from the configuration.

import { readFileSync } from 'node:fs';
import type { Config } from '#shared/config/settings.ts';
import { maskedUrl } from '#shared/config/value-text.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { saslOptions } from './login/sasl-options.ts';

const CONNECTION_TIMEOUT_MS = 3000;
const REQUEST_TIMEOUT_MS = 15_000;

/** Throws config_invalid for files that cannot be read. */
export function connectOptions(config: Config, requestTimeoutMs = REQUEST_TIMEOUT_MS) {
  const sasl = saslOptions(config);
  return {
    clientId: 'sluice',
    brokers: [...brokersOf(config)],
    ssl: tlsOf(config),
    ...(sasl === null ? {} : { sasl }),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    authenticationTimeout: 10_000,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    // Enough to try each broker of a usual list; whoever calls tries again with its own patience.
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1000, factor: 0.2, multiplier: 2 },
  };
}

export function brokersOf(config: Config): readonly string[] {
  const brokers = config['kafka.brokers'];
  if (brokers !== undefined && brokers.length > 0) return brokers;
  throw new SluiceError('config_invalid', 'Cannot use Kafka: kafka.brokers (SLUICE_KAFKA_BROKERS) is not set');
}

/** For messages: somebody may have written a password into them, as into a URL. */
export function brokerNames(config: Config): string[] {
  return brokersOf(config).map(maskedUrl);
}

function tlsOf(config: Config) {
  if (!config['kafka.tls']) return false;
  const part = (name: 'ca' | 'cert' | 'key', setting: 'kafka.tls_ca' | 'kafka.tls_cert' | 'kafka.tls_key') => {
    const file = config[setting];
    return file === undefined ? {} : { [name]: readText(setting, file) };
  };
  return { ...part('ca', 'kafka.tls_ca'), ...part('cert', 'kafka.tls_cert'), ...part('key', 'kafka.tls_key') };
}

function readText(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new SluiceError('config_invalid', `Cannot read the file of ${setting}: ${reasonOf(error)}`, { cause: error });
  }
}
