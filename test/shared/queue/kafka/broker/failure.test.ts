// What an error of the brokers means for a record: almost all of them say nothing about it, so it is kept and tried
// again.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { errorCodes, createErrorFromCode } from 'kafkajs/src/protocol/error.js';
import { SluiceError } from '#shared/errors.ts';
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

suite('what is below wrappers', () => {
  const wrapped = (cause: Error): Error =>
    Object.assign(new Error('tried often'), { name: 'KafkaJSNumberOfRetriesExceeded', cause });

  test('a login without a token is told as it is', () => {
    const cases = [
      ['queue_unauthorized', false],
      ['queue_unavailable', true],
    ] as const;
    for (const [code, passes] of cases) {
      const failure = failureOf(wrapped(wrapped(new SluiceError(code, 'Cannot get a token'))));
      const expected = { code, retryable: passes, passes, broken: false, type: 'SluiceError' };
      assert.deepEqual(failure, { ...expected, reason: 'Cannot get a token' });
    }
  });

  test('of several errors the first speaks, however deep; none at all is no fault', () => {
    const denied = createErrorFromCode(29);
    const several = (errors: unknown[]): Error => Object.assign(new Error('several'), { errors });
    assert.equal(failureOf(wrapped(several([denied, new Error('second')]))).code, 'queue_unauthorized');
    assert.equal(failureOf(several([])).reason, 'several');
    assert.equal(failureOf(several(['text'])).reason, 'several');
    const loop = several([]);
    Object.assign(loop, { errors: [loop] });
    assert.equal(failureOf(loop).reason, 'several');
  });
});
