// How a stream of messages is cut into messages, a line a case, whole and byte by byte.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SyslogFrames, type SyslogFramesOptions } from '#forwarder/decode/syslog/syslog-frames.ts';

function framesOf(
  pieces: readonly Buffer[],
  { pieceBytesMax, nulEnds, finish = true }: Partial<SyslogFramesOptions> & { finish?: boolean },
) {
  const frames = new SyslogFrames({ pieceBytesMax: pieceBytesMax ?? 65_536, nulEnds: nulEnds ?? false });
  const seen: string[] = [];
  const readAll = (): void => {
    for (let kind = frames.next(); kind !== 'more'; kind = frames.next()) {
      const text = frames.bytes.toString('latin1', frames.start, frames.end);
      seen.push(kind === 'whole' ? text : `${kind} ${text}`);
    }
  };
  for (const piece of pieces) {
    frames.push(Buffer.from(piece));
    readAll();
  }
  if (finish) frames.finish();
  readAll();
  return seen;
}

function check(stream: string, expected: readonly string[], options: Partial<SyslogFramesOptions> = {}): void {
  const bytes = Buffer.from(stream, 'latin1');
  assert.deepEqual(framesOf([bytes], options), expected, JSON.stringify(stream));
  assert.deepEqual(
    framesOf(
      Array.from(bytes, (byte) => Buffer.from([byte])),
      options,
    ),
    expected,
    `${JSON.stringify(stream)} byte by byte`,
  );
}

test('lines and counted messages, one after another', () => {
  check('', []);
  check('<1>a\n<2>b\n', ['<1>a\n', '<2>b\n']);
  check('<1>a\n\n\n<2>b', ['<1>a\n', '<2>b']);
  check('4 <1>a4 <2>b', ['<1>a', '<2>b']);
  check('8 <1>a\nb\n\n<2>c\n5 <3>d\n', ['<1>a\nb\n\n', '<2>c\n', '<3>d\n']);
  check('a line without a priority\n  and its second\n<1>b\n', [
    'a line without a priority\n',
    '  and its second\n',
    '<1>b\n',
  ]);
});

test('digits that count nothing begin a line', () => {
  check('12 monkeys\n', ['12 monkeys\n']);
  check('12345678901 <1>a\n', ['12345678901 <1>a\n']);
  check('0 <1>a\n', ['0 <1>a\n']);
  check('12\n<1>a\n', ['12\n', '<1>a\n']);
  check('12', ['12']);
  check('12 ', ['12 ']);
});

test('a count that the stream does not keep', () => {
  check('100 <1>cut', ['<1>cut']);
});

test('NUL ends a message on unix sockets alone', () => {
  check('<1>a\0<2>b\0', ['<1>a\0', '<2>b\0'], { nulEnds: true });
  check('<1>a\n\0<2>b\n', ['<1>a\n', '<2>b\n'], { nulEnds: true });
  check('<1>a\0b\n', ['<1>a\0b\n']);
});

test('a long message comes in pieces', () => {
  const long = `<1>${'x'.repeat(2500)}`;
  const pieces = [long.slice(0, 1024), long.slice(1024, 2048), long.slice(2048)];
  const limit = { pieceBytesMax: 1024 };
  check(`${long}\n<2>b\n`, [`first ${pieces[0]}`, `middle ${pieces[1]}`, `last ${pieces[2]}\n`, '<2>b\n'], limit);
  check(`2503 ${long}<2>b\n`, [`first ${pieces[0]}`, `middle ${pieces[1]}`, `last ${pieces[2]}`, '<2>b\n'], limit);
  const exact = 'y'.repeat(1024);
  check(`${exact}\n<2>b\n`, [`${exact}\n`, '<2>b\n'], limit);
  check(`${exact}z\n<2>b\n`, [`first ${exact}`, 'last z\n', '<2>b\n'], limit);
});

test('it holds no more than a piece, and less where memory is short', () => {
  const frames = new SyslogFrames({ pieceBytesMax: 4096, nulEnds: false });
  frames.push(Buffer.alloc(3000, 'x'));
  assert.equal(frames.next(), 'more');
  assert.equal(frames.heldBytes, 3000);
  assert.equal(frames.next(1024), 'first');
  assert.equal(frames.next(1024), 'middle');
  assert.equal(frames.next(1024), 'more');
  assert.equal(frames.heldBytes, 952);
  frames.push(Buffer.from('\n'));
  assert.equal(frames.next(), 'last');
  assert.equal(frames.end - frames.start, 953);
});

test('what was pushed is not kept alive by what is left of it', () => {
  const frames = new SyslogFrames({ pieceBytesMax: 65_536, nulEnds: false });
  frames.push(Buffer.concat([Buffer.alloc(60_000, 'x'), Buffer.from('\n<1>a')]));
  assert.equal(frames.next(), 'whole');
  assert.equal(frames.next(), 'more');
  assert.ok(frames.bytes.buffer.byteLength < 1024);
});
