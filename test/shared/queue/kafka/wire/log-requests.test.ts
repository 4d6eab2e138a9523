// The two requests that kafkajs lacks, byte by byte, as in the protocol's description.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeEpochResponse,
  decodeMetadataResponse,
  encodeEpochRequest,
  encodeMetadataRequest,
} from '#shared/queue/kafka/wire/log-requests.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/[^0-9a-f]/g, ''), 'hex');
const zeros = '00'.repeat(16);
const id = '00112233445566778899aabbccddeeff';

test('Metadata 12 asks for names, or for all', () => {
  assert.deepEqual(encodeMetadataRequest(['ab'], false), hex(`00 02 ${zeros} 03 6162 00 00 00 00`));
  assert.deepEqual(encodeMetadataRequest([], true), hex('00 00 01 00 00'));
});

const metadata = hex(`
  00 00000005
  02 00000001 04 686f73 00002384 00 00
  05 61626364 00000001
  02 0000 03 6162 ${id} 00
     02 0000 00000003 00000001 00000007 02 00000001 02 00000001 01 01 00 01 aa
     80000000 00
  00`);

test('its response has the ids of topics and the epochs of leaders', () => {
  const partition = {
    topicId: Buffer.from(id, 'hex').toString('base64url'),
    partitionErrorCode: 0,
    partitionId: 3,
    leader: 1,
    leaderEpoch: 7,
    replicas: [1],
    isr: [1],
    offlineReplicas: [],
  };
  assert.deepEqual(decodeMetadataResponse(metadata), {
    throttleTime: 0,
    clientSideThrottleTime: 5,
    brokers: [{ nodeId: 1, host: 'hos', port: 9092, rack: null }],
    clusterId: 'abcd',
    controllerId: 1,
    topicMetadata: [{ topicErrorCode: 0, topic: 'ab', isInternal: false, partitionMetadata: [partition] }],
  });
});

const epochs = hex(
  '00000000 00000001 0002 6162 00000002 0000 00000000 00000004 0000000000000102 0003 00000001 ffffffff ffffffffffffffff',
);

test('OffsetForLeaderEpoch 3 asks for the ends of epochs, and hears of each partition', () => {
  assert.deepEqual(
    encodeEpochRequest('ab', [{ partition: 3, epoch: 4 }]),
    hex('ffffffff 00000001 0002 6162 00000001 00000003 ffffffff 00000004'),
  );
  assert.deepEqual(decodeEpochResponse(epochs), [
    { errorCode: 0, partition: 0, endOffset: 258 },
    { errorCode: 3, partition: 1, endOffset: -1 },
  ]);
});

test('a response that is cut off, or whose counts are wrong, ends in a RangeError', () => {
  for (let end = 0; end < metadata.length; end++) {
    assert.throws(() => decodeMetadataResponse(metadata.subarray(0, end)), RangeError);
  }
  for (let end = 0; end < epochs.length; end++) {
    assert.throws(() => decodeEpochResponse(epochs.subarray(0, end)), RangeError);
  }
  assert.throws(() => decodeMetadataResponse(Buffer.alloc(40, 0xff)), RangeError);
});
