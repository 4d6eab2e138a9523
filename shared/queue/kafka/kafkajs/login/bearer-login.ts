// SASL OAUTHBEARER as kafkajs calls it (RFC 7628). kafkajs's own takes a broker's refusal for success: a broker first
// answers with a challenge, and tells the error only to whoever answers that.
//
//   client   n,,^Aauth=Bearer <token>^Akey=value^A^A
//   broker   (empty): logged in     {"status":"invalid_token"}: refused
//   client   ^A
//   broker   SASL_AUTHENTICATION_FAILED, with a message

import kafkajs, { type KafkaConfig } from 'kafkajs';
import { KafkaJSSASLAuthenticationError } from 'kafkajs/src/errors.js';
import { reasonOf, SluiceError } from '#shared/errors.ts';
import { harmless, oneLine } from '#shared/harmless.ts';
import type { Grant, TokenSource } from './token-source.ts';

type Sasl = Extract<KafkaConfig['sasl'], { authenticationProvider: unknown }>;
type SaslAuthenticate = Parameters<Sasl['authenticationProvider']>[0]['saslAuthenticate'];

const SEPARATOR = '\u0001';
const LENGTH_BYTES = 4;
/** A challenge as it came, without its length. */
const RAW = {
  decode: (bytes: Buffer) => bytes.subarray(LENGTH_BYTES),
  parse: (bytes: Buffer) => bytes.toString('utf8'),
};

/** `extensions`: name=value, as the brokers want them. */
export function bearerLogin(tokens: TokenSource, extensions: readonly string[] = []): Sasl {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ host, port, saslAuthenticate }) => ({
      authenticate: async () => {
        const grant = await tokens.token();
        const fields = [`auth=Bearer ${grant.value}`, ...extensions].map((field) => field + SEPARATOR).join('');
        try {
          await exchange(saslAuthenticate, `n,,${SEPARATOR}${fields}${SEPARATOR}`);
        } catch (error) {
          if (!isRefusal(error)) throw error;
          throw refused(tokens, grant, { host, port, why: oneLine(harmless(reasonOf(error))) });
        }
        tokens.accepted();
      },
    }),
  };
}

async function exchange(saslAuthenticate: SaslAuthenticate, message: string): Promise<void> {
  const challenge = await saslAuthenticate({ request: requestOf(message), response: RAW });
  if (challenge === undefined || challenge === '') return;
  await saslAuthenticate({ request: requestOf(SEPARATOR), response: RAW });
  throw new KafkaJSSASLAuthenticationError(challenge);
}

function requestOf(message: string) {
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeInt32BE(Buffer.byteLength(message));
  return { encode: () => Buffer.concat([length, Buffer.from(message)]) };
}

function isRefusal(error: unknown): boolean {
  if (error instanceof KafkaJSSASLAuthenticationError) return true;
  return error instanceof kafkajs.KafkaJSProtocolError && error.type === 'SASL_AUTHENTICATION_FAILED';
}

/**
 * A token that was held for a while may have ended early, or its key be gone: the next try comes with a new one. Where
 * a new one is refused an operator has to act, perhaps at its issuer: whoever waits meanwhile goes on by itself.
 */
function refused(
  tokens: TokenSource,
  grant: Grant,
  { host, port, why }: { readonly host: string; readonly port: number; readonly why: string },
): Error {
  const broker = `${host}:${port}`;
  const todo = 'look at the issuer, audience and scope that the brokers expect';
  const what = `Cannot log in to ${broker} with a token: ${why}; ${todo}`;
  const error = new SluiceError('queue_unauthorized', what);
  tokens.refused(grant, error);
  return grant.isNew ? error : new kafkajs.KafkaJSConnectionError(what, { broker });
}
