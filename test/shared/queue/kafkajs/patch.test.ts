// Another kafkajs than the one that was patched must not be patched: each release, and each function of another form,
// that is planted here stops the program when it starts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import kafkajs from 'kafkajs';
import manifest from 'kafkajs/package.json' with { type: 'json' };
import OffsetManager from 'kafkajs/src/consumer/offsetManager/index.js';
import SaslAuthenticator from 'kafkajs/src/broker/saslAuthenticator/index.js';
import Connection from 'kafkajs/src/network/connection.js';
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import fetchRequests from 'kafkajs/src/protocol/requests/fetch/index.js';
import listOffsetsRequests from 'kafkajs/src/protocol/requests/listOffsets/index.js';
import metadataRequests from 'kafkajs/src/protocol/requests/metadata/index.js';
import produceRequests from 'kafkajs/src/protocol/requests/produce/index.js';
import { patchCodecs } from '#shared/queue/kafka/kafkajs/patches/codec.ts';
import { patchConnect, patchSend } from '#shared/queue/kafka/kafkajs/patches/connection.ts';
import { patchEncoder } from '#shared/queue/kafka/kafkajs/patches/encoder.ts';
import { patchFetch } from '#shared/queue/kafka/kafkajs/patches/fetch.ts';
import { patchListOffsets } from '#shared/queue/kafka/kafkajs/patches/list-offsets.ts';
import { patchMetadata } from '#shared/queue/kafka/kafkajs/patches/metadata.ts';
import { patchOffsetManager } from '#shared/queue/kafka/kafkajs/patches/offset-manager.ts';
import { patchProduce } from '#shared/queue/kafka/kafkajs/patches/produce.ts';
import { patchFirstRequest, patchIdleTimer } from '#shared/queue/kafka/kafkajs/patches/request-queue.ts';
import { patchLogin, patchPush, patchSessionEnd } from '#shared/queue/kafka/kafkajs/patches/session.ts';

const TODO = 'install kafkajs 2.2.4, or fit shared/queue/kafka/kafkajs/patches/ to the new one';

/** Runs `apply` with another value in the place of a property. */
function planted(owner: object, name: string, value: unknown, apply: () => void): void {
  const original: unknown = Reflect.get(owner, name);
  Reflect.set(owner, name, value);
  try {
    apply();
  } finally {
    Reflect.set(owner, name, original);
  }
}

/** Each patch, and a function that it replaces or calls. */
function check(apply: () => void, owner: object, name: string, at: string): void {
  test(`${apply.name}: ${name}`, () => {
    const message = (difference: string) => ({ message: `Cannot patch kafkajs: ${difference}; ${TODO}` });
    planted(manifest, 'version', '2.2.5', () => {
      assert.throws(apply, message('its version is 2.2.5, our patches are for 2.2.4'));
    });
    planted(owner, name, undefined, () => assert.throws(apply, message(`${at} has no function ${name}`)));
    const original = Reflect.get(owner, name) as () => unknown;
    const expected = `${name} of ${at} takes 5 parameters, not ${original.length}`;
    const other = (_a: unknown, _b: unknown, _c: unknown, _d: unknown, _e: unknown): void => undefined;
    planted(owner, name, other, () => assert.throws(apply, message(expected)));
    assert.equal(Reflect.get(owner, name), original, 'nothing was replaced');
  });
}

const QUEUE = 'src/network/requestQueue/index.js: RequestQueue';
const CONNECTION = 'src/network/connection.js: Connection';
const OFFSETS = 'src/consumer/offsetManager/index.js: OffsetManager';
check(patchIdleTimer, RequestQueue.prototype, 'scheduleCheckPendingRequests', QUEUE);
check(patchFirstRequest, RequestQueue.prototype, 'createSocketRequest', QUEUE);
check(patchSend, Connection.prototype, 'send', CONNECTION);
check(patchSend, Connection.prototype, 'rejectRequests', CONNECTION);
check(patchSend, RequestQueue.prototype, 'destroy', QUEUE);
check(patchConnect, Connection.prototype, 'connect', CONNECTION);
check(patchConnect, Connection.prototype, 'isConnected', CONNECTION);
check(patchConnect, Connection.prototype, 'processData', CONNECTION);
check(patchSessionEnd, Connection.prototype, 'isAuthenticated', CONNECTION);
check(
  patchLogin,
  SaslAuthenticator.prototype,
  'authenticate',
  'src/broker/saslAuthenticator/index.js: SASLAuthenticator',
);
check(patchLogin, RequestQueue.prototype, 'destroy', QUEUE);
check(patchPush, RequestQueue.prototype, 'push', QUEUE);
check(patchEncoder, Encoder.prototype, 'ensureAvailable', 'src/protocol/encoder.js: Encoder');
check(patchProduce, produceRequests, 'protocol', 'src/protocol/requests/produce/index.js');
check(patchMetadata, metadataRequests, 'protocol', 'src/protocol/requests/metadata/index.js');
check(patchListOffsets, listOffsetsRequests, 'protocol', 'src/protocol/requests/listOffsets/index.js');
check(patchFetch, fetchRequests, 'protocol', 'src/protocol/requests/fetch/index.js');
check(patchCodecs, kafkajs.CompressionCodecs, '1', 'index.js: CompressionCodecs');
check(patchCodecs, kafkajs.CompressionCodecs, '4', 'index.js: CompressionCodecs');
check(patchOffsetManager, OffsetManager.prototype, 'clearAllOffsets', OFFSETS);
check(patchOffsetManager, OffsetManager.prototype, 'setDefaultOffset', OFFSETS);

test('a request of which kafkajs knows a later version is not taken for the one we know', () => {
  for (const [apply, requests, name] of [
    [patchProduce, produceRequests, 'produce'],
    [patchMetadata, metadataRequests, 'metadata'],
    [patchFetch, fetchRequests, 'fetch'],
  ] as const) {
    planted(requests, 'versions', [...requests.versions, '13'], () => {
      const expected = `src/protocol/requests/${name}/index.js ends at version 13, not`;
      assert.throws(apply, (error: Error) => error.message.includes(expected) && error.message.endsWith(TODO));
    });
  }
});

test('twice is a mistake', () => {
  patchListOffsets();
  assert.throws(patchListOffsets, { name: 'AssertionError', message: /protocol is patched once/ });
});

test('with another kafkajs there is no client', async () => {
  manifest.version = '3.0.0';
  await assert.rejects(import('#shared/queue/kafka/kafkajs/client.ts'), {
    message: `Cannot patch kafkajs: its version is 3.0.0, our patches are for 2.2.4; ${TODO}`,
  });
});
