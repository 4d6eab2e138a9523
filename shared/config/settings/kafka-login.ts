// How a process logs in to Kafka. See settings.ts; kafka-login.ts beside this folder says what belongs together.

import { flag, list, oneOf, text, type Setting } from './setting-kinds.ts';

export const kafkaLogin = {
  'kafka.sasl.mechanism': oneOf(
    ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer', 'aws-msk-iam'],
    'SASL mechanism. `oauthbearer` takes tokens from a URL, `aws-msk-iam` signs them with the credentials of ' +
      "AWS that the process has, such as those of a function's role.",
    {},
  ),
  'kafka.sasl.username': text('SASL user.', {}),
  'kafka.sasl.password': text('SASL password.', { secret: true }),
  'kafka.sasl.token_url': text('Where `oauthbearer` gets tokens: an https URL that takes client credentials.', {}),
  'kafka.sasl.token_url_plain': flag(
    'Whether the client secret may go to a token URL of another machine unencrypted (http://).',
    { default: false },
  ),
  'kafka.sasl.token_ca': text("File of the certificates that the token URL is trusted by; else the system's.", {}),
  'kafka.sasl.client_id': text('Client that asks for tokens.', {}),
  'kafka.sasl.client_secret': text('Secret of the client that asks for tokens.', { secret: true }),
  'kafka.sasl.scope': text('Scope of the tokens, where their issuer wants one.', {}),
  'kafka.sasl.extensions': list(
    'Extensions that brokers want beside the token, name=value, such as `logicalCluster=lkc-1`.',
    {},
  ),
  'kafka.sasl.region': text('Region of the cluster, for `aws-msk-iam`.', {
    defaultText: "from the brokers' names, else `AWS_REGION`",
  }),
} as const satisfies Record<string, Setting>;
