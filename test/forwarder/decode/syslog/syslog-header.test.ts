// What is read from a message, a line a case: of the forms that senders were seen to write, and of what is none of
// them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ReadOptions, readDatagram } from './syslog-stream.ts';

const level = { level: 'notice', facility: 'user' };

function check(message: string | Buffer, expected: object, options: ReadOptions = {}): void {
  const bytes = typeof message === 'string' ? Buffer.from(message) : message;
  assert.deepEqual(readDatagram(bytes, options), { time: 0, ...expected }, bytes.toString());
}

test('RFC 5424, the examples of section 6.5', () => {
  check(
    "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
    {
      time: '2003-10-11T22:14:15.003Z',
      message: "'su root' failed for lonvick on /dev/pts/8",
      host: 'mymachine.example.com',
      service: 'su',
      msgid: 'ID47',
      level: 'crit',
      facility: 'auth',
    },
  );
  check("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.", {
    time: '2003-08-24T12:14:15.000003Z',
    message: "%% It's time to make the do-nuts.",
    host: '192.0.2.1',
    service: 'myproc',
    procid: '8710',
    level: 'notice',
    facility: 'local4',
  });
  check(
    '<165>1 2003-10-11T22:14:15.003Z m evntslog - ID47 ' +
      '[exampleSDID@32473 iut="3" eventSource="Application"][examplePriority@32473 class="high"]',
    {
      time: '2003-10-11T22:14:15.003Z',
      message: '',
      host: 'm',
      service: 'evntslog',
      msgid: 'ID47',
      level: 'notice',
      facility: 'local4',
      structured_data: {
        'exampleSDID@32473': { iut: '3', eventSource: 'Application' },
        'examplePriority@32473': { class: 'high' },
      },
    },
  );
});

test('RFC 5424, with parts that are absent, escaped or repeated', () => {
  const time = '2026-11-21T06:47:31Z';
  check('<13>1 - - - - - -', { message: '', ...level });
  check('<13>1 - - - - - - ', { message: '', ...level });
  check('<13>1 - - - - - -  two spaces', { message: ' two spaces', ...level });
  check('<13>1 2026-11-21T06:47:31Z h a p m [x]', {
    time,
    message: '',
    host: 'h',
    service: 'a',
    procid: 'p',
    msgid: 'm',
    structured_data: { x: {} },
    ...level,
  });
  check('<13>1 2026-11-21T06:47:31Z - - - - [x a="1\\"\\\\\\]\\n" b=""] t', {
    time,
    message: 't',
    structured_data: { x: { a: '1"\\]\\n', b: '' } },
    ...level,
  });
  // A map would lose one of two.
  check('<13>1 2026-11-21T06:47:31Z - - - - [x ip="1" ip="2"] t', {
    time,
    message: 't',
    structured_data: { x: 'ip="1" ip="2"' },
    ...level,
  });
  check('<0>1 - - - - - - t', { message: 't', level: 'emerg', facility: 'kern' });
  check('<191>1 - - - - - - t', { message: 't', level: 'debug', facility: 'local7' });
});

test('what is nearly RFC 5424 is text', () => {
  for (const rest of [
    '1 2026-11-21T06:47:31 h a p m - no zone',
    '1 2026-13-21T06:47:31Z h a p m - no such month',
    '1 2026-11-21T24:00:00Z h a p m - no such hour',
    '1 2026-11-21T06:47:31Z h a p m',
    '1 2026-11-21T06:47:31Z h a p m [x a="1" no end',
    '1 2026-11-21T06:47:31Z h a p m [x a=1] t',
    '1 2026-11-21T06:47:31Z h a p m [] t',
    '1 2026-11-21T06:47:31Z h a p m -t',
    '1 ',
    '1',
    '2 - - - - - - another version',
  ])
    check(`<13>${rest}`, { message: rest, ...level });
});

test('RFC 3164, hosts and tags', () => {
  const time = '2026-11-21T06:47:31Z';
  check("<34>Oct 11 22:14:15 mymachine su: 'su root' failed", {
    time: '2026-10-11T22:14:15Z',
    message: "'su root' failed",
    host: 'mymachine',
    service: 'su',
    level: 'crit',
    facility: 'auth',
  });
  check('<13>Nov 21 06:47:31 a[12]: t', { time, message: 't', service: 'a', procid: '12', ...level });
  check('<13>Nov 21 06:47:31 a[12] t', { time, message: 't', service: 'a', procid: '12', ...level });
  check('<13>Nov 21 06:47:31 h a[]: t', { time, message: 't', host: 'h', service: 'a', ...level });
  check('<13>Nov 21 06:47:31 h a:', { time, message: '', host: 'h', service: 'a', ...level });
  check('<13>Nov 21 06:47:31 2001:db8::1 a: t', { time, message: 't', host: '2001:db8::1', service: 'a', ...level });
  check('<13>Nov 21 06:47:31 reg:5000/web:1.4/x[1]: t', {
    time,
    message: 't',
    service: 'reg:5000/web:1.4/x',
    procid: '1',
    ...level,
  });
  check('<13>Nov 21 2024 06:47:31 h : %ASA-6-1: t', {
    time: '2024-11-21T06:47:31Z',
    message: ': %ASA-6-1: t',
    host: 'h',
    ...level,
  });
  check('<13>Nov 21 2024 06:47:31: %ASA-6-1: t', {
    time: '2024-11-21T06:47:31Z',
    message: 't',
    service: '%ASA-6-1',
    ...level,
  });
  // The first word of a text is no tag.
  check('<13>Nov 21 06:47:31 h first line', { time, message: 'first line', host: 'h', ...level });
  check('<13>Nov 21 06:47:31 (odd) first line', { time, message: '(odd) first line', ...level });
  check('<13>Nov 21 06:47:31 h at 12:30:45 it: was', { time, message: 'at 12:30:45 it: was', host: 'h', ...level });
});

test('RFC 3164, times', () => {
  const timed = (text: string, time: string): void =>
    check(`<13>${text} h a: t`, { time, message: 't', host: 'h', service: 'a', ...level });
  timed('Nov  1 06:47:31', '2026-11-01T06:47:31Z');
  timed('Nov 01 06:47:31', '2026-11-01T06:47:31Z');
  timed('Nov 1 06:47:31', '2026-11-01T06:47:31Z');
  timed('Nov 21 06:47:31.250', '2026-11-21T06:47:31.25Z');
  timed('2026-11-21T06:47:31.5+01:00', '2026-11-21T05:47:31.5Z');
  timed('2026-11-21 06:47:31Z', '2026-11-21T06:47:31Z');
});

test('no header at all', () => {
  check('', { message: '' });
  check('text', { message: 'text' });
  check('<13>', { message: '', ...level });
  check('<13>Error: not a tag without a time', { message: 'Error: not a tag without a time', ...level });
  check('<192>t', { message: '<192>t' });
  check('<1234>t', { message: '<1234>t' });
  check('<>t', { message: '<>t' });
  check('<13', { message: '<13' });
  check('<a>t', { message: '<a>t' });
  check('<13>Nov 31 06:47:31 h a: no such day', { message: 'Nov 31 06:47:31 h a: no such day', ...level });
  check('<13>Nov 21 06:47:31', { message: 'Nov 21 06:47:31', ...level });
});

test('one line break or NUL at the end is none of the text', () => {
  for (const [message, text] of [
    ['t\n', 't'],
    ['t\0', 't'],
    ['t\n\n', 't\n'],
    ['t\r\n', 't\r'],
    ['a\nb', 'a\nb'],
    ['\n', ''],
  ] as const)
    check(`<13>${message}`, { message: text, ...level });
});

test('a host that a message does not name is the sender', () => {
  check(
    '<13>Nov 21 06:47:31 a: t',
    { time: '2026-11-21T06:47:31Z', message: 't', host: '192.0.2.7', service: 'a', ...level },
    { host: '192.0.2.7' },
  );
  check(
    '<13>Nov 21 06:47:31 h a: t',
    { time: '2026-11-21T06:47:31Z', message: 't', host: 'h', service: 'a', ...level },
    { host: '192.0.2.7' },
  );
});

test('a time without a year is of the last year in which it is not in the future', () => {
  for (const [received, sent, expected] of [
    ['2026-12-31T23:59:59Z', 'Jan  1 00:00:02', '2027-01-01T00:00:02Z'],
    ['2027-01-01T00:00:05Z', 'Dec 31 23:59:58', '2026-12-31T23:59:58Z'],
    ['2027-01-01T00:00:05Z', 'Jan  1 00:00:05', '2027-01-01T00:00:05Z'],
    ['2027-06-01T00:00:00Z', 'Jan  1 00:00:00', '2027-01-01T00:00:00Z'],
    ['2026-11-21T00:00:00Z', 'Mar 29 00:00:00', '2026-03-29T00:00:00Z'],
    ['2026-11-21T00:00:00Z', 'Nov 27 00:00:00', '2026-11-27T00:00:00Z'],
    ['2026-11-21T00:00:00Z', 'Nov 29 00:00:00', '2025-11-29T00:00:00Z'],
    ['2028-03-01T00:00:00Z', 'Feb 29 12:00:00', '2028-02-29T12:00:00Z'],
  ] as const)
    check(
      `<13>${sent} h a: t`,
      { time: expected, message: 't', host: 'h', service: 'a', ...level },
      { receivedMs: Date.parse(received) },
    );
});

test('a time without a zone is of the zone that is set', () => {
  for (const [zone, sent, expected] of [
    ['Europe/Berlin', 'Jul  1 12:00:00', '2026-07-01T10:00:00Z'],
    ['Europe/Berlin', 'Nov 21 12:00:00', '2026-11-21T11:00:00Z'],
    // Clocks go forward at 02:00 and back at 03:00: an hour that there is not, and one that there is twice.
    ['Europe/Berlin', 'Mar 29 01:59:59', '2026-03-29T00:59:59Z'],
    ['Europe/Berlin', 'Mar 29 02:30:00', '2026-03-29T00:30:00Z'],
    ['Europe/Berlin', 'Mar 29 03:00:00', '2026-03-29T01:00:00Z'],
    ['Europe/Berlin', 'Oct 25 02:30:00', '2026-10-25T00:30:00Z'],
    ['Europe/Berlin', 'Oct 25 03:30:00', '2026-10-25T02:30:00Z'],
    ['America/New_York', 'Nov 21 12:00:00', '2026-11-21T17:00:00Z'],
    ['Asia/Kathmandu', 'Nov 21 12:00:00', '2026-11-21T06:15:00Z'],
  ] as const)
    check(`<13>${sent} h a: t`, { time: expected, message: 't', host: 'h', service: 'a', ...level }, { zone });
});

test('a time that EventTime cannot hold stays a number of seconds', () => {
  check('<13>1 1969-12-31T23:59:59Z - - - - - t', { time: -1, message: 't', ...level });
  check('<13>1 2200-01-01T00:00:00Z - - - - - t', { time: 7_258_118_400, message: 't', ...level });
});
