// The quick way to read a time says what the thorough one says, or nothing.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fullTimeOf } from '#forwarder/decode/full-time.ts';
import { eventTimeOfIso } from '#forwarder/decode/iso-time.ts';

function timeOf(text: string): ReturnType<typeof fullTimeOf> {
  const bytes = Buffer.from(`9${text}9`, 'latin1');
  return fullTimeOf(bytes, 1, bytes.length - 1);
}

test('times of the usual form', () => {
  const check = (text: string, expected: string | null) => {
    const time = timeOf(text);
    assert.equal(time && `${time.seconds}.${String(time.nanoseconds).padStart(9, '0')}`, expected, text);
  };
  check('2023-11-14T22:13:20Z', '1700000000.000000000');
  check('2023-11-14 22:13:20,678+00:00', '1700000000.678000000');
  check('2023-11-14T22:13:20.678901234Z stdout F text', '1700000000.678901234');
  check('2023-11-14T17:43:20.5-0430\ttext', '1700000000.500000000');
  check('2023-11-14T22:13:20Z] text', '1700000000.000000000');
  check('2400-02-29T00:00:00Z', '13574563200.000000000');
  for (const none of ['2023-02-29T00:00:00Z', '2023-11-14T24:00:00Z', '2023-13-01T00:00:00Z', '1969-12-31T23:59:59Z'])
    check(none, null);
  for (const other of ['2023-11-14T22:13:20', '2023-11-14T22:13:20Zulu', '2023-11-14T22:13:20.Z', '2023-11-14'])
    check(other, null);
  for (const cut of ['2023-11-14T22:13:20+', '2023-11-14T22:13:20+01', '2023-11-14T22:13:20+01:0', ''])
    check(cut, null);
});

const digits = (max: number, length: number) =>
  fc.oneof(
    { weight: 20, arbitrary: fc.nat(max).map((n) => String(n).padStart(length, '0')) },
    { weight: 1, arbitrary: fc.string() },
  );
const written = fc
  .tuple(
    fc.tuple(
      digits(9999, 4),
      fc.constantFrom('-', '-', '-', ':'),
      digits(13, 2),
      digits(32, 2),
      fc.constantFrom('T', ' ', 't'),
    ),
    fc.tuple(digits(25, 2), digits(61, 2), digits(61, 2)),
    fc.oneof(
      fc.constant(''),
      fc.tuple(fc.constantFrom('.', ','), fc.stringMatching(/^\d{0,12}$/)).map((parts) => parts.join('')),
    ),
    fc.constantFrom('Z', 'z', '', '+01:00', '-0930', '+1', '+99:99', '-00:00', '+0a:00'),
  )
  .map(([[year, dash, month, day, t], time, fraction, zone]) => {
    return `${year}${dash}${month}-${day}${t}${time.join(':')}${fraction}${zone}`;
  });

test('what it takes for a time is one, and the same', () => {
  let times = 0;
  fc.assert(
    fc.property(written, (text) => {
      const quick = timeOf(text);
      if (quick === null) return;
      times += 1;
      assert.deepEqual(quick, eventTimeOfIso(text));
    }),
    {
      numRuns: 3000,
      examples: [['2024-02-29T23:59:60.123456789+01:00'], ['2100-02-28 00:00:00Z'], ['1971-01-01T00:00:00+23:59']],
    },
  );
  assert.ok(times > 100, `only ${times} were times`);
});

test('every day of four centuries', () => {
  for (let ms = Date.UTC(1971, 0, 1); ms < Date.UTC(2401, 0, 1); ms += 86_400_000) {
    const text = new Date(ms).toISOString();
    assert.equal(timeOf(text)?.seconds, ms / 1000, text);
  }
});
