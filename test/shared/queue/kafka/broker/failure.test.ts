// What an error of the brokers means for a record: almost all of them say nothing about it, so it is kept and tried
// again.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { errorCodes, createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { failureOf } from '#shared/queue/kafka/broker/failure.ts';

suite('an error of the brokers', () => {
  const refusals = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD'];

  for (const { code, type } of errorCodes) {
    const expected = refusals.includes(type) ? 'refuses the record' : 'holds the record';
    test(`${code} ${type} ${expected}`, () => {
      const failure = failureOf(createErrorFromCode(code));
      assert.equal(failure.code === 'queue_refused' ? 'refuses the record' : 'holds the record', expected);
    });
  }

  const cases: [string, unknown, { code: string; retryable: boolean; passes: boolean; broken: boolean }][] = [
    ['a code that is newer than the client', createErrorFromCode(119), unknown()],
    ['UNKNOWN_SERVER_ERROR', createErrorFromCode(-1), unknown()],
    ['INVALID_TIMESTAMP, which a clock that is set right mends', createErrorFromCode(32), unknown()],
    ['an error without a name', new Error('Broken pipe?'), unknown()],
    ['an answer that is cut off', new RangeError('out of range'), { ...unknown(), passes: true, broken: true }],
    ['NOT_ENOUGH_REPLICAS', createErrorFromCode(19), { ...unknown(), passes: true }],
  ];
  for (const [name, error, { code, retryable, passes, broken }] of cases) {
    test(`${name}: is tried again`, () => {
      const failure = failureOf(error);
      assert.deepEqual({ ...failure, type: '', reason: '' }, { code, retryable, passes, broken, type: '', reason: '' });
    });
  }
});

function unknown() {
  return { code: 'queue_unavailable', retryable: true, passes: false, broken: false };
}
