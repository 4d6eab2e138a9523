// What is asked of a token URL, and what comes of each answer.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { askForToken } from '#shared/queue/kafka/kafkajs/login/client-credentials.ts';
import { CLIENT, TokenServer } from '#test/integration/secured-kafka/token-server.ts';

const credentials = { clientId: CLIENT.id, clientSecret: CLIENT.secret, scope: undefined, ca: undefined };

async function withServer(listener: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/token`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function check(name: string, status: number, body: string, expected: number | { code: string; message: RegExp }): void {
  test(name, async () => {
    const answer: RequestListener = (_, response) =>
      void response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end(body);
    await withServer(answer, async (url) => {
      const asked = askForToken({ url: `${url}?tenant=hunter2`, ...credentials }, 20_000);
      if (typeof expected === 'number') return assert.equal(Math.round((await asked).lifetimeMs / 1000), expected);
      await assert.rejects(asked, (error) => {
        assert(error instanceof SluiceError);
        assert.equal(error.code, expected.code);
        assert.match(error.message, expected.message);
        assert.ok(error.message.startsWith(`Cannot get a token from ${url}: `), error.message);
        assert.doesNotMatch(error.message, /s3cret|hunter2|\p{Cc}/u);
        assert.equal(error.cause, undefined, 'kafkajs would tell the cause in its place');
        return true;
      });
    });
  });
}

test('the client shows its credentials, and a token comes back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-jwks-'));
  try {
    await using server = await TokenServer.start(join(folder, 'jwks.json'));
    const token = await askForToken({ url: server.url, ...credentials, scope: 'logs write' });
    assert.match(token.value, /^[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.equal(token.lifetimeMs, 3_600_000);
    assert.deepEqual(server.forms, ['grant_type=client_credentials&scope=logs+write']);
    await assert.rejects(askForToken({ url: server.url, ...credentials, clientSecret: 'wrong' }), {
      code: 'queue_unauthorized',
      message: /: 401 invalid_client \(unknown client\); check SLUICE_KAFKA_SASL_CLIENT_ID and/,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
});

const jwt = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const tokenOf = (value: string, more: object = {}): string => JSON.stringify({ access_token: value, ...more });
check('expires_in', 200, tokenOf('abc', { expires_in: 60 }), 60);
check('expires_in as a text, as Entra v1 has it', 200, tokenOf('abc', { expires_in: '3599' }), 3599);
check('the answer is believed before the token', 200, tokenOf(jwt({ exp: 100, iat: 0 }), { expires_in: 60 }), 60);
check('lifetime in the token', 200, tokenOf(jwt({ exp: 1100, iat: 1000 })), 100);
check('no lifetime anywhere', 200, tokenOf('opaque'), 300);
check('no lifetime that makes sense', 200, tokenOf('opaque', { expires_in: -5 }), 300);
check('a lifetime without end', 200, tokenOf('opaque', { expires_in: 1e300 }), 30 * 86_400);

const unavailable = (message: RegExp) => ({ code: 'queue_unavailable', message });
const unauthorized = (message: RegExp) => ({ code: 'queue_unauthorized', message });
check('wrong secret', 401, '{"error":"invalid_client"}', unauthorized(/401 invalid_client; check .*_CLIENT_SECRET$/));
check(
  'wrong scope',
  400,
  '{"error":"invalid_scope"}',
  unauthorized(/400 invalid_scope; check SLUICE_KAFKA_SASL_SCOPE$/),
);
check('wrong path', 404, '<html>', unauthorized(/: 404; check SLUICE_KAFKA_SASL_TOKEN_URL$/));
check('too many', 429, '', unavailable(/: 429; look at/));
check('out of order', 503, 'null', unavailable(/: 503; look at/));
check('a redirect is not followed', 302, '', unavailable(/: 302; look at/));
check(
  'what it says is one harmless line',
  400,
  '{"error":"a\\u001b[2J\\nb"}',
  unauthorized(/400 a\\u001b\[2J\\u000ab/),
);
check('what it says is cut', 400, JSON.stringify({ error: 'x'.repeat(9000) }), unauthorized(/400 x{200};/));
check('a page for people', 200, '<html>sign in</html>', unavailable(/no access_token/));
check('no text', 200, '{"access_token":7}', unavailable(/no access_token/));
check(
  'a token that would forge fields of the login',
  200,
  tokenOf('a\u0001b'),
  unavailable(/none that a login can carry/),
);
check('an answer without end', 200, 'x'.repeat(300_000), unavailable(/larger than 262144 bytes/));

test('nobody listens, and nobody answers', async () => {
  let gone = '';
  await withServer(
    () => undefined,
    async (url) => {
      gone = url;
      await assert.rejects(askForToken({ url, ...credentials }, 50), unavailable(/: no answer within 50 ms; look at/));
    },
  );
  await withServer(
    (_, response) => void response.write('{'),
    (url) => assert.rejects(askForToken({ url, ...credentials }, 50), { code: 'queue_unavailable' }),
  );
  await assert.rejects(askForToken({ url: gone, ...credentials }), unavailable(/ECONNREFUSED.*; look at/));
});
