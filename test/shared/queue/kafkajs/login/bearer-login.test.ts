// What is said to a broker to log in with a token, and what comes of its answers. In the place of kafkajs stands what
// brokers answer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { bearerLogin } from '#shared/queue/kafka/kafkajs/login/bearer-login.ts';
import { TokenSource } from '#shared/queue/kafka/kafkajs/login/token-source.ts';
import { VirtualClock } from '#test/memory/clock.ts';

const SASL_AUTHENTICATION_FAILED = 58;
const failed = (message: string): Error => Object.assign(createErrorFromCode(SASL_AUTHENTICATION_FAILED), { message });

interface Exchange {
  encode(): Buffer;
}

interface Parser {
  decode(bytes: Buffer): Buffer;
  parse(bytes: Buffer): string;
}

/** `answers`: of the broker, one after another. */
function login(answers: (string | Error)[]) {
  const said: string[] = [];
  let asked = 0;
  const tokens = new TokenSource({
    clock: new VirtualClock(),
    random: () => 0.5,
    ask: () => Promise.resolve({ value: `token-${++asked}`, lifetimeMs: 60_000 }),
  });
  const saslAuthenticate = async ({ request, response }: { request: Exchange; response: Parser }): Promise<string> => {
    const bytes = request.encode();
    assert.equal(bytes.readInt32BE(0), bytes.length - 4);
    said.push(bytes.subarray(4).toString());
    const answer = answers.shift();
    assert(answer !== undefined, 'nothing more is to be said');
    if (answer instanceof Error) throw answer;
    return response.parse(response.decode(Buffer.concat([Buffer.alloc(4), Buffer.from(answer)])));
  };
  const { authenticationProvider } = bearerLogin(tokens, ['logicalCluster=lkc-1', 'identityPoolId=pool-1']);
  const given = { host: 'kafka', port: 9092, saslAuthenticate } as unknown as Parameters<
    typeof authenticationProvider
  >[0];
  return { said, authenticate: () => authenticationProvider(given).authenticate() };
}

const FIRST = 'n,,\u0001auth=Bearer token-1\u0001logicalCluster=lkc-1\u0001identityPoolId=pool-1\u0001\u0001';
const CHALLENGE = '{"status":"invalid_token"}';

test('an empty answer is a login', async () => {
  const { said, authenticate } = login(['', '']);
  await authenticate();
  await authenticate();
  assert.deepEqual(said, [FIRST, FIRST]);
});

test('a challenge is a refusal, whose reason only comes when it is answered', async () => {
  const { said, authenticate } = login([CHALLENGE, failed('{"status":"invalid_token"}')]);
  const refused = {
    code: 'queue_unauthorized',
    message: /^Cannot log in to kafka:9092 with a token: \{"status":"invalid_token"\}; look at the issuer, audience/,
  };
  await assert.rejects(authenticate(), refused);
  assert.deepEqual(said, [FIRST, '\u0001']);
  await assert.rejects(authenticate(), refused, 'it was new: nothing else is tried in a hurry');
  assert.equal(said.length, 2);
});

test('a challenge is a refusal, whatever is answered after it', async () => {
  const { authenticate } = login([CHALLENGE, '']);
  await assert.rejects(authenticate(), { code: 'queue_unauthorized', message: /with a token: .*invalid_token/ });
});

test('a token that was held and is refused makes way for another', async () => {
  const { said, authenticate } = login(['', failed('expired'), '']);
  await authenticate();
  await assert.rejects(authenticate(), { name: 'KafkaJSConnectionError', message: /with a token: expired; look at/ });
  await authenticate();
  assert.deepEqual(said, [FIRST, FIRST, FIRST.replace('token-1', 'token-2')]);
});

test('a connection that ends says nothing of the token', async () => {
  const { said, authenticate } = login([new Error('Closed connection'), '']);
  await assert.rejects(authenticate(), /^Error: Closed connection$/);
  await authenticate();
  assert.deepEqual(said, [FIRST, FIRST]);
});
