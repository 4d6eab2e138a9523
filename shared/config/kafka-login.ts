// What the settings of a login to Kafka must have, and must not have, by mechanism. A setting that the mechanism does
// not use is a mistake too: whoever set it expects another login than the one that would happen. Pure.

import { isLoopbackHost } from '#shared/net/listen-address.ts';
import { type Config, type SettingName, variableOf } from './settings.ts';
import { maskedUrl } from './value-text.ts';

type Mechanism = NonNullable<Config['kafka.sasl.mechanism']>;

interface Needs {
  readonly required: readonly SettingName[];
  readonly optional: readonly SettingName[];
}

const PASSWORD: Needs = { required: ['kafka.sasl.username', 'kafka.sasl.password'], optional: [] };
const TOKEN_URL: Needs = {
  required: ['kafka.sasl.token_url', 'kafka.sasl.client_id', 'kafka.sasl.client_secret'],
  optional: ['kafka.sasl.token_ca', 'kafka.sasl.scope', 'kafka.sasl.extensions'],
};
const NEEDS: Readonly<Record<Mechanism, Needs>> = {
  plain: PASSWORD,
  'scram-sha-256': PASSWORD,
  'scram-sha-512': PASSWORD,
  oauthbearer: TOKEN_URL,
  'aws-msk-iam': { required: ['kafka.sasl.region'], optional: [] },
};
/** In the order in which they are told. */
const LOGIN_SETTINGS = [
  ...PASSWORD.required,
  ...TOKEN_URL.required,
  ...TOKEN_URL.optional,
  'kafka.sasl.region',
] as const;

// RFC 7628: a key is letters, a value is what can be printed, with spaces and line ends.
const EXTENSION = /^(?!auth=)[A-Za-z]+=[\x20-\x7e\t\r\n]*$/;

/** b-1.name.abc123.c2.kafka.eu-west-1.amazonaws.com, boot-….c1.kafka-serverless.us-east-1.amazonaws.com.cn */
const REGION_IN_NAME = /\.kafka(?:-serverless)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?(?::\d+)?$/;

/** The region of a cluster of Amazon MSK where it is not set; AWS sets the variable on Lambda and in containers. */
export function mskRegion(
  brokers: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const named = brokers.map((broker) => REGION_IN_NAME.exec(broker)?.[1]).find((region) => region !== undefined);
  return named ?? (env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || undefined);
}

/** A line for each mistake, with what to do. */
export function kafkaLoginMistakes(config: Config): string[] {
  const mechanism = config['kafka.sasl.mechanism'];
  if (mechanism === undefined) return unusedWithout(config);
  const { required, optional } = NEEDS[mechanism];
  const mistakes: string[] = [];
  for (const name of LOGIN_SETTINGS) {
    const isSet = config[name] !== undefined;
    if (required.includes(name)) {
      const told = name === 'kafka.sasl.region' ? ", and neither the brokers' names nor AWS_REGION tell it" : '';
      if (!isSet) mistakes.push(`${variableOf(name)} is not set: SLUICE_KAFKA_SASL_MECHANISM is ${mechanism}${told}`);
    } else if (isSet && !optional.includes(name)) {
      mistakes.push(`${variableOf(name)} is set, and ${mechanism} does not use it: unset it, or set another mechanism`);
    }
  }
  if (mechanism === 'oauthbearer') mistakes.push(...tokenMistakes(config));
  if (mechanism === 'aws-msk-iam' && !config['kafka.tls']) {
    mistakes.push('SLUICE_KAFKA_TLS is not true: brokers of Amazon MSK take aws-msk-iam over TLS only');
  }
  return mistakes;
}

/** A user without a mechanism was never told of; what only a token needs is. */
function unusedWithout(config: Config): string[] {
  return [...TOKEN_URL.required, ...TOKEN_URL.optional, 'kafka.sasl.region' as const]
    .filter((name) => config[name] !== undefined)
    .map(
      (name) =>
        `${variableOf(name)} is set, and SLUICE_KAFKA_SASL_MECHANISM is not: set it to oauthbearer or aws-msk-iam`,
    );
}

function tokenMistakes(config: Config): string[] {
  const mistakes = (config['kafka.sasl.extensions'] ?? [])
    .filter((extension) => !EXTENSION.test(extension))
    .map(
      (extension) => `SLUICE_KAFKA_SASL_EXTENSIONS=${JSON.stringify(extension)}: it is name=value, the name of letters`,
    );
  const url = config['kafka.sasl.token_url'];
  const mistake = url === undefined ? null : urlMistake(url, config);
  if (url !== undefined && mistake !== null) {
    mistakes.push(`SLUICE_KAFKA_SASL_TOKEN_URL=${JSON.stringify(maskedUrl(url))}: ${mistake}`);
  }
  return mistakes;
}

function urlMistake(text: string, config: Config): string | null {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return 'is no https:// URL';
  if (url.username !== '' || url.password !== '') {
    return 'holds a login; give it as SLUICE_KAFKA_SASL_CLIENT_ID and SLUICE_KAFKA_SASL_CLIENT_SECRET';
  }
  if (url.protocol === 'https:') return null;
  if (config['kafka.sasl.token_ca'] !== undefined) return 'is not https://, so SLUICE_KAFKA_SASL_TOKEN_CA is not used';
  if (isLoopbackHost(url.hostname) || config['kafka.sasl.token_url_plain']) return null;
  return 'would get the client secret unencrypted; use https://, or set SLUICE_KAFKA_SASL_TOKEN_URL_PLAIN=true';
}
