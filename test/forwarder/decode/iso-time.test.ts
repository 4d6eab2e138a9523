// Times as text, a line a case: what senders were seen to write, and what is no time.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventTimeOfIso } from '#forwarder/decode/iso-time.ts';

test('times as text', () => {
  const check = (text: string, expected: string | null) => {
    const time = eventTimeOfIso(text);
    assert.equal(time && `${time.seconds}.${String(time.nanoseconds).padStart(9, '0')}`, expected, text);
  };
  check('2023-11-14T22:13:20Z', '1700000000.000000000');
  check('2023-11-14T22:13:20.678901234Z', '1700000000.678901234');
  check('2023-11-14t22:13:20,5z', '1700000000.500000000');
  check('2023-11-14T22:13:20.1234567891Z', '1700000000.123456789');
  check('2023-11-14T23:13:20+01:00', '1700000000.000000000');
  check('2023-11-14T17:43:20-0430', '1700000000.000000000');
  check('2023-11-14T23:13:20+01', '1700000000.000000000');
  check('2023-11-14T22:13', '1699999980.000000000');
  check('2023-11-14', '1699920000.000000000');
  check('2400-02-29T00:00:00Z', '13574563200.000000000');
  check('2023-02-29T00:00:00Z', null);
  check('2023-04-31T00:00:00Z', null);
  check('2023-13-01T00:00:00Z', null);
  check('2023-00-01T00:00:00Z', null);
  check('2023-11-00', null);
  check('2023-11-14T24:00:00Z', null);
  check('2023-11-14T22:60:00Z', null);
  check('1969-12-31T23:59:59Z', null);
  check('2023-11-14 22:13:20', '1700000000.000000000');
  check('2023-11-14T', null);
  check('2023-11-14T22:13:20.Z', null);
  check('', null);
  check('now', null);
});
