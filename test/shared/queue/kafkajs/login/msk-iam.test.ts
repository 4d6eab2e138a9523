// Tokens for Amazon MSK, with credentials that are fixed. No cluster of MSK is asked: the token is a URL that AWS
// documents, signed by its own library.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signMskToken } from '#shared/queue/kafka/kafkajs/login/msk-iam.ts';

const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'AKIATEST',
  AWS_SECRET_ACCESS_KEY: 'hunter2',
  AWS_SESSION_TOKEN: 'of-a-role',
} as const;

test('a token is a signed URL of the region, for connecting, of a quarter of an hour', async (t) => {
  for (const [name, value] of Object.entries(CREDENTIALS)) process.env[name] = value;
  t.after(() => Object.keys(CREDENTIALS).forEach((name) => delete process.env[name]));
  const { value, lifetimeMs } = await signMskToken('eu-central-1');
  assert.match(value, /^[A-Za-z0-9_-]+$/, 'a login can carry it');
  const url = new URL(Buffer.from(value, 'base64url').toString());
  assert.equal(url.origin, 'https://kafka.eu-central-1.amazonaws.com');
  const fields = Object.fromEntries(url.searchParams);
  assert.equal(fields['Action'], 'kafka-cluster:Connect');
  assert.equal(fields['X-Amz-Expires'], '900');
  assert.equal(fields['X-Amz-Security-Token'], 'of-a-role');
  assert.match(fields['X-Amz-Credential'] ?? '', /^AKIATEST\/\d{8}\/eu-central-1\/kafka-cluster\/aws4_request$/);
  assert.match(fields['X-Amz-Signature'] ?? '', /^[0-9a-f]{64}$/);
  assert.ok(lifetimeMs > 800_000 && lifetimeMs <= 900_000, String(lifetimeMs));
  assert.doesNotMatch(url.href, /hunter2/);
});

test('a search for credentials that does not end is given up', async () => {
  const never = () => new Promise<never>(() => undefined);
  await assert.rejects(signMskToken('eu-west-1', 5, never), {
    code: 'queue_unavailable',
    message: /^Cannot sign a token for Amazon MSK in eu-west-1: no credentials within 5 ms; give the process a role/,
  });
});
