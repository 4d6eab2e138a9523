// How kafkajs logs in, from the configuration. The connections of a process that log in with the same credentials
// share their tokens: each client has several connections to each broker, and an admin client is made every few
// seconds.

import { readFileSync } from 'node:fs';
import { systemClock } from '#shared/clock.ts';
import { type Config, variableOf } from '#shared/config/settings.ts';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { bearerLogin } from './bearer-login.ts';
import { askForToken } from './client-credentials.ts';
import { signMskToken } from './msk-iam.ts';
import { type Token, TokenSource } from './token-source.ts';

type Setting = `kafka.sasl.${'username' | 'password' | 'token_url' | 'client_id' | 'client_secret' | 'region'}`;

/** By what they are asked for with. */
const sources = new Map<string, TokenSource>();

/** Null without a mechanism. Throws config_invalid for what is missing, and for files that cannot be read. */
export function saslOptions(config: Config) {
  const mechanism = config['kafka.sasl.mechanism'];
  if (mechanism === undefined) return null;
  switch (mechanism) {
    case 'oauthbearer':
      return bearerLogin(clientTokens(config), config['kafka.sasl.extensions']);
    case 'aws-msk-iam':
      return bearerLogin(mskTokens(config));
    // kafkajs's types tell these apart.
    case 'plain':
      return { mechanism, ...passwordLogin(config) } as const;
    case 'scram-sha-256':
      return { mechanism, ...passwordLogin(config) } as const;
    case 'scram-sha-512':
      return { mechanism, ...passwordLogin(config) } as const;
  }
}

function passwordLogin(config: Config) {
  return { username: needed(config, 'kafka.sasl.username'), password: needed(config, 'kafka.sasl.password') };
}

function clientTokens(config: Config): TokenSource {
  const credentials = {
    url: needed(config, 'kafka.sasl.token_url'),
    clientId: needed(config, 'kafka.sasl.client_id'),
    clientSecret: needed(config, 'kafka.sasl.client_secret'),
    scope: config['kafka.sasl.scope'],
    ca: fileText(config),
  };
  return shared(JSON.stringify(credentials), () => askForToken(credentials));
}

function mskTokens(config: Config): TokenSource {
  const region = needed(config, 'kafka.sasl.region');
  return shared(`region ${region}`, () => signMskToken(region));
}

function shared(key: string, ask: () => Promise<Token>): TokenSource {
  const known = sources.get(key);
  if (known !== undefined) return known;
  const source = new TokenSource({ clock: systemClock, random: Math.random, ask });
  sources.set(key, source);
  return source;
}

function needed(config: Config, name: Setting): string {
  const value = config[name];
  if (value !== undefined) return value;
  throw new SluiceError('config_invalid', `Cannot use SASL: ${variableOf(name)} must be set`);
}

function fileText({ 'kafka.sasl.token_ca': path }: Config): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const what = `Cannot read the file of kafka.sasl.token_ca: ${reasonOf(error)}`;
    throw new SluiceError('config_invalid', what, { cause: error });
  }
}
