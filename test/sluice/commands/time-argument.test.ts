// What --since and --until take.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { timeArgument } from '../../../services/sluice/dead-letters/time-argument.ts';

const nowMs = Date.UTC(2026, 2, 1, 12, 0, 0, 0);

it('reads durations, times and Unix seconds', () => {
  const check = (text: string, expected: string) => assert.equal(timeArgument('--since', text, nowMs), expected, text);
  check('10m', '2026-03-01T11:50:00.000000000Z');
  check('1h30m', '2026-03-01T10:30:00.000000000Z');
  check('1.5h', '2026-03-01T10:30:00.000000000Z');
  check('2d', '2026-02-27T12:00:00.000000000Z');
  check('250ms', '2026-03-01T11:59:59.750000000Z');
  check('0s', '2026-03-01T12:00:00.000000000Z');
  check('2026-03-01T12:00:00.123456789Z', '2026-03-01T12:00:00.123456789Z');
  check('2026-03-01T12:00:00+02:00', '2026-03-01T10:00:00.000000000Z');
  check('1767225600', '2026-01-01T00:00:00.000000000Z');
  check('1767225600.000000001', '2026-01-01T00:00:00.000000001Z');
  check('0', '1970-01-01T00:00:00.000000000Z');
});

it('takes a time without a zone as local', () => {
  const local = (...parts: [number, number, number, number?]) => new Date(...parts).toISOString().slice(0, 19);
  const check = (text: string, expected: string) =>
    assert.equal(timeArgument('--since', text, nowMs).slice(0, 19), expected, text);
  check('2026-03-01', local(2026, 2, 1));
  check('2026-07-01T05:00', local(2026, 6, 1, 5));
  check('2026-07-01 05:00:00', local(2026, 6, 1, 5));
});

it('says what may be given', () => {
  for (const text of ['', 'yesterday', '10x', '-5m', '2026-99-01', '9999999999999']) {
    assert.throws(() => timeArgument('--until', text, nowMs), { code: 'usage_wrong', message: /--until/ }, text);
  }
});
