import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACKS_MAX, ACK_BODY_BYTES_MAX, acksAnswer, askedAcks } from '#forwarder/dialects/splunk/acks.ts';

function check(what: string, body: string, expected: number[] | null) {
  test(what, () => assert.deepEqual(askedAcks(Buffer.from(body)), expected));
}
check('ids', '{"acks":[0,1,9007199254740991]}', [0, 1, 9_007_199_254_740_991]);
check('none', '{"acks":[]}', []);
check('other names beside it', '{"a":{"acks":[1]},"acks":[2],"b":[[]]}', [2]);
check('no acks', '{}', null);
check('no array', '{"acks":1}', null);
check('a negative id', '{"acks":[-1]}', null);
check('a fraction', '{"acks":[1.5]}', null);
check('a text', '{"acks":["1"]}', null);
check('an id past 2^53', '{"acks":[9007199254740993]}', null);
check('no JSON', '{"acks":[1', null);
check('an array', '[1]', null);
check('nothing', '', null);
check('brackets and nothing else', '['.repeat(ACK_BODY_BYTES_MAX), null);
check('too many', `{"acks":[${'1,'.repeat(ACKS_MAX)}1]}`, null);
check('too large', `{"acks":[1]}${' '.repeat(ACK_BODY_BYTES_MAX)}`, null);

test('the answer is JSON with each id', () => {
  assert.deepEqual(JSON.parse(acksAnswer([0, 7])), { acks: { 0: true, 7: true } });
  assert.deepEqual(JSON.parse(acksAnswer([])), { acks: {} });
});
