// The patches of logins that end: when a connection logs in again, and what waits meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import SaslAuthenticator from 'kafkajs/src/broker/saslAuthenticator/index.js';
import Connection from 'kafkajs/src/network/connection.js';
import RequestQueue, { type PushedRequest } from 'kafkajs/src/network/requestQueue/index.js';
import { patchLogin, patchPush, patchSessionEnd } from '#shared/queue/kafka/kafkajs/patches/session.ts';

function isLoggedIn(sinceMs: number | null, sessionMs: number): boolean {
  const now = process.hrtime.bigint() - BigInt(Math.round((sinceMs ?? 0) * 1e6));
  const authenticatedAt = sinceMs === null ? null : [Number(now / 1_000_000_000n), Number(now % 1_000_000_000n)];
  const sessionLifetime = { equals: () => sessionMs === 0, toString: () => String(sessionMs) };
  const connection = Object.assign(Object.create(Connection.prototype) as Connection, {
    authenticatedAt,
    sessionLifetime,
  });
  return connection.isAuthenticated();
}

test('a connection logs in again near the end of its session, and not within a second', () => {
  patchSessionEnd();
  const cases: readonly [sinceMs: number | null, sessionMs: number, expected: boolean][] = [
    [null, 0, false],
    [null, 5000, false],
    [1e9, 0, true],
    [0, 4000, true],
    [3000, 4000, true],
    [3300, 4000, false],
    [60_000, 4000, false],
    [1000, 1000, true],
    [1200, 1000, false],
    [700, 1, true],
    [2_800_000, 3_600_000, true],
    [2_900_000, 3_600_000, false],
  ];
  for (const [sinceMs, sessionMs, expected] of cases) {
    assert.equal(isLoggedIn(sinceMs, sessionMs), expected, `${sinceMs} ms of ${sessionMs} ms`);
  }
});

interface Login {
  /** What was sent, in this order. */
  readonly sent: string[];
  readonly rejected: string[];
  readonly outcome: PromiseWithResolvers<void>;
  isConnected: boolean;
  readonly done: Promise<void>;
  push(apiName: string): void;
}

const underWay: PromiseWithResolvers<void>[] = [];
// In kafkajs's place: a login that ends when the test says so.
SaslAuthenticator.prototype.authenticate = function authenticate() {
  const outcome = Promise.withResolvers<void>();
  underWay.push(outcome);
  return outcome.promise;
};
RequestQueue.prototype.push = function push(pushed: PushedRequest & { send?: () => void }) {
  pushed.send?.();
};
patchLogin();
patchPush();

function login(): Login {
  const sent: string[] = [];
  const rejected: string[] = [];
  const requestQueue = new RequestQueue({ requestTimeout: 1000 });
  const connection = {
    host: 'h',
    port: 1,
    requestQueue,
    isConnected: () => world.isConnected,
    rejectRequests: () => rejected.push('in flight'),
  };
  const push = (apiName: string): void => {
    const pushed = {
      entry: { apiName, reject: (error: Error) => void rejected.push(`${apiName}: ${error.name}`) },
      requestTimeout: null,
      send: () => sent.push(apiName),
    };
    requestQueue.push(pushed);
  };
  push('Before');
  const authenticator = Object.assign(Object.create(SaslAuthenticator.prototype) as SaslAuthenticator, { connection });
  const done = authenticator.authenticate();
  const outcome = underWay.pop() as PromiseWithResolvers<void>;
  const world: Login = { sent, rejected, outcome, isConnected: true, done, push };
  return world;
}

test('what was being encoded when a login began is sent after it, in its order', async () => {
  const { sent, rejected, outcome, done, push } = login();
  push('SaslHandshake');
  push('Produce');
  push('SaslAuthenticate');
  push('Metadata');
  assert.deepEqual(sent, ['Before', 'SaslHandshake', 'SaslAuthenticate']);
  outcome.resolve();
  await done;
  push('Fetch');
  assert.deepEqual(sent, ['Before', 'SaslHandshake', 'SaslAuthenticate', 'Produce', 'Metadata', 'Fetch']);
  assert.deepEqual(rejected, []);
});

test('a connection whose login failed is closed, and what waited hears of it', async () => {
  const { sent, rejected, outcome, done, push } = login();
  push('Produce');
  outcome.reject(new Error('no token'));
  await assert.rejects(done, /no token/);
  assert.deepEqual(sent, ['Before']);
  assert.deepEqual(rejected, ['Produce: KafkaJSConnectionClosedError', 'in flight']);
});

test('what waited on a connection that was closed during its login hears of it', async () => {
  const world = login();
  world.push('Produce');
  world.isConnected = false;
  world.outcome.resolve();
  await world.done;
  assert.deepEqual(world.sent, ['Before']);
  assert.deepEqual(world.rejected, ['Produce: KafkaJSConnectionClosedError']);
});
