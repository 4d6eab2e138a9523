import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { journalEntry } from '#forwarder/dialects/journal/entry.ts';
import { type ExportResult, ExportScanner } from '#forwarder/dialects/journal/export-format.ts';
import { decoded } from '../decode/http/http-entries.ts';

const received = '0.000000000';

/** A field with its size before it. */
function binary(name: string, value: Buffer | string): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(Buffer.byteLength(value)));
  return Buffer.concat([Buffer.from(`${name}\n`), size, Buffer.from(value), Buffer.from('\n')]);
}

/** All entries of the pieces as [name, value] pairs, and what ends them. */
function scan(
  pieces: readonly Buffer[],
  entryBytesMax = 10_000,
): { entries: [string, string][][]; last: ExportResult } {
  const scanner = new ExportScanner({ entryBytesMax });
  const entries: [string, string][][] = [];
  let last: ExportResult = { kind: 'need_more' };
  for (const piece of pieces) {
    scanner.push(piece);
    for (last = scanner.next(); last.kind === 'entry'; last = scanner.next()) {
      entries.push(last.fields.map(({ name, value }) => [name, value.toString('latin1')]));
    }
    if (last.kind !== 'need_more') return { entries, last };
  }
  if (!scanner.isBetweenEntries) last = { kind: 'malformed', why: 'cut' };
  return { entries, last };
}

const two = Buffer.concat([
  Buffer.from('__CURSOR=a\nMESSAGE=one=1\n'),
  binary('TEXT', 'a\nb\n\n'),
  binary('EMPTY', ''),
  Buffer.from('X=\n\n\n\n__CURSOR=b\n'),
  binary('MESSAGE', Buffer.from([0, 255, 10])),
  Buffer.from('\n'),
]);
const twoEntries = [
  [
    ['__CURSOR', 'a'],
    ['MESSAGE', 'one=1'],
    ['TEXT', 'a\nb\n\n'],
    ['EMPTY', ''],
    ['X', ''],
  ],
  [
    ['__CURSOR', 'b'],
    ['MESSAGE', '\u0000\u00ff\n'],
  ],
];

test('entries come out whole, however the bytes are cut', () => {
  assert.deepEqual(scan([two]), { entries: twoEntries, last: { kind: 'need_more' } });
  assert.deepEqual(scan([...two].map((byte) => Buffer.from([byte]))).entries, twoEntries);
  for (let at = 0; at <= two.length; at += 1) {
    assert.deepEqual(scan([Buffer.from(two.subarray(0, at)), Buffer.from(two.subarray(at))]).entries, twoEntries);
  }
  fc.assert(
    fc.property(fc.array(fc.nat(two.length)), (cuts) => {
      const places = [0, ...cuts.sort((a, b) => a - b), two.length];
      const pieces = places.slice(1).map((end, i) => Buffer.from(two.subarray(places[i], end)));
      assert.deepEqual(scan(pieces).entries, twoEntries);
    }),
  );
});

test('many entries, larger than the buffer at first', () => {
  const entries = Array.from({ length: 3000 }, (_, i) => Buffer.from(`N=${i}\nMESSAGE=${'x'.repeat(i % 997)}\n\n`));
  const all = Buffer.concat([...entries, binary('BIG', 'y'.repeat(400_000)), Buffer.from('\n')]);
  for (const size of [1000, 65_536, all.length]) {
    const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
      Buffer.from(all.subarray(i * size, (i + 1) * size)),
    );
    const { entries: found, last } = scan(pieces, 1_000_000);
    assert.equal(last.kind, 'need_more');
    assert.equal(found.length, 3001);
    assert(found.slice(0, 3000).every((fields, i) => fields[0]?.[1] === String(i)));
    assert.equal(found[3000]?.[0]?.[1].length, 400_000);
  }
});

test('between entries nothing is held; of an entry its fields are counted', () => {
  const scanner = new ExportScanner({ entryBytesMax: 1_000_000 });
  const take = (text: string): ExportResult => {
    scanner.push(Buffer.from(text));
    let last = scanner.next();
    while (last.kind === 'entry') last = scanner.next();
    return last;
  };
  take(`A=${'x'.repeat(500_000)}`);
  assert.ok(scanner.bytesHeld >= 500_000);
  take('\n\n');
  assert.deepEqual([scanner.bytesHeld, scanner.entries], [0, 1]);
  take('A=\n'.repeat(2000));
  assert.ok(scanner.bytesHeld >= 2000 * 128, `${scanner.bytesHeld} bytes`);
  take('\n');
  assert.deepEqual([scanner.bytesHeld, scanner.entries, scanner.isBetweenEntries], [0, 2, true]);
});

test('what is no journal, or too much of it', () => {
  const broken = (bytes: Buffer | string, kind: string, why?: RegExp) => {
    const { last } = scan([Buffer.from(bytes)]);
    assert.equal(last.kind, kind);
    if (why) assert.match(last.kind === 'malformed' ? last.why : '', why);
  };
  broken('=value\n', 'malformed', /no name/);
  broken(`${'N'.repeat(300)}=x\n`, 'malformed', /name of a field/);
  broken(`${'N'.repeat(300)}\n`, 'malformed', /name of a field/);
  const wrong = binary('A', 'abc');
  wrong[2] = 2;
  broken(wrong, 'malformed', /longer than its size/);
  broken('A=b\n'.repeat(2049), 'malformed', /more than 2048 fields/);
  broken(Buffer.from('A\nffffffffffffffff'), 'too_large');
  broken(Buffer.concat([Buffer.from('A\n'), Buffer.alloc(8, 255)]), 'too_large');
  broken(`A=${'x'.repeat(20_000)}`, 'too_large');
  broken('A=b\n', 'malformed', /cut/);
  broken('A', 'malformed', /cut/);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void scan([Buffer.from(bytes)], 100)));
});

test('an entry keeps all its fields, under the names that are looked for', () => {
  const check = (fields: [string, string][], expected: unknown, cursor: string | null = null) => {
    const entry = journalEntry(
      fields.map(([name, value]) => ({ name, value: Buffer.from(value) })),
      10_000,
    );
    assert(entry);
    assert.equal(entry.name?.chunkId?.toString() ?? null, cursor);
    assert.deepEqual(decoded({ kind: 'entries', bytes: entry.entries, count: 1 }), [expected]);
  };
  check(
    [
      ['__CURSOR', 's=1'],
      ['__REALTIME_TIMESTAMP', '1700000000123456'],
      ['__MONOTONIC_TIMESTAMP', '5'],
      ['MESSAGE', 'hello'],
      ['PRIORITY', '6'],
      ['_HOSTNAME', 'n'],
      ['SYSLOG_IDENTIFIER', 'app'],
      ['_SYSTEMD_UNIT', 'app.service'],
      ['CONTAINER_ID_FULL', 'c'],
      ['CONTAINER_NAME', 'web'],
      ['IMAGE_NAME', 'i'],
    ],
    [
      '1700000000.123456000',
      {
        __MONOTONIC_TIMESTAMP: '5',
        log: 'hello',
        PRIORITY: '6',
        'host.name': 'n',
        SYSLOG_IDENTIFIER: 'app',
        _SYSTEMD_UNIT: 'app.service',
        'container.id': 'c',
        'container.name': 'web',
        'container.image.name': 'i',
        'service.name': 'app',
        'log.level': 'info',
      },
    ],
    's=1',
  );
  check([['_SYSTEMD_UNIT', 'a.service']], [received, { _SYSTEMD_UNIT: 'a.service', 'service.name': 'a.service' }]);
  check(
    [
      ['OBJECT', 'a'],
      ['MESSAGE', 'm'],
      ['OBJECT', 'b'],
      ['PRIORITY', '9'],
    ],
    [received, { OBJECT: ['a', 'b'], log: 'm', PRIORITY: '9' }],
  );
  check([['__REALTIME_TIMESTAMP', 'noon']], [received, {}]);
  assert.equal(journalEntry([{ name: 'A', value: Buffer.alloc(200) }], 100), null);
});
