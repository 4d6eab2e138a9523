// A Kafka of the test's own whose clients have to log in: by password as the users that are given, or by a token of a
// TokenServer. Its own listener of controllers stays open, as nobody else knows it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type PrivateKafka, privateKafka } from '#test/backends/kafka.ts';
import { ISSUER, TokenServer } from './token-server.ts';

const LISTENER = 'listener.name.plaintext';
const SECURITY = 'org.apache.kafka.common.security';
/** That of a broker of 4.1.0 is meant for clients: it reads the token, and checks neither signature nor audience. */
const VALIDATOR = `sasl.oauthbearer.jwt.validator.class=${SECURITY}.oauthbearer.BrokerJwtValidator`;
export const ADMIN = { user: 'admin', password: 'admin-secret' };
export const PASSWORD = 'of-a-test';

/** Password login (SASL plain) for `users`, with ACLs: who has none may do nothing. */
export async function kafkaWithUsers(users: readonly string[]): Promise<PrivateKafka> {
  const logins = [`user_${ADMIN.user}="${ADMIN.password}"`, ...users.map((user) => `user_${user}="${PASSWORD}"`)];
  return privateKafka(`${overSasl('PLAIN', logins)}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:${ADMIN.user};User:ANONYMOUS`);
}

export interface TokenKafka extends AsyncDisposable {
  readonly kafka: PrivateKafka;
  readonly tokens: TokenServer;
}

/** Runs already; takes tokens of its own server. */
export async function kafkaWithTokens(): Promise<TokenKafka> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-jwks-'));
  const jwks = join(folder, 'jwks.json');
  const tokens = await TokenServer.start(jwks);
  const oauth = `${LISTENER}.oauthbearer`;
  const kafka = await privateKafka(
    `${overSasl('PLAIN,OAUTHBEARER', [])}
${oauth}.sasl.jaas.config=${SECURITY}.oauthbearer.OAuthBearerLoginModule required;
${oauth}.sasl.server.callback.handler.class=${SECURITY}.oauthbearer.OAuthBearerValidatorCallbackHandler
${LISTENER}.${VALIDATOR}
${oauth}.sasl.oauthbearer.jwks.endpoint.url=file://${jwks}
${oauth}.sasl.oauthbearer.expected.audience=kafka
${oauth}.sasl.oauthbearer.expected.issuer=${ISSUER}
${oauth}.connections.max.reauth.ms=3600000`,
    ['urls', 'files']
      .map((kind) => `-Dorg.apache.kafka.sasl.oauthbearer.allowed.${kind}=${kind === 'urls' ? 'file://' : ''}${jwks}`)
      .join(' '),
  );
  await kafka.start();
  return {
    kafka,
    tokens,
    async [Symbol.asyncDispose]() {
      await kafka[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The listener of the clients keeps its name, and gets another protocol. */
function overSasl(mechanisms: string, logins: readonly string[]): string {
  const broker = 'username="broker" password="broker-secret" user_broker="broker-secret"';
  return `listener.security.protocol.map=PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
sasl.mechanism.inter.broker.protocol=PLAIN
${LISTENER}.sasl.enabled.mechanisms=${mechanisms}
${LISTENER}.plain.sasl.jaas.config=${SECURITY}.plain.PlainLoginModule required ${[broker, ...logins].join(' ')};`;
}
