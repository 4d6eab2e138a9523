// What real senders sent (test/fixtures/syslog) is read the same whole, cut at every place, and byte by byte; damaged,
// it is still read to the end.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { countEntries } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { SyslogEntries } from '#forwarder/decode/syslog/syslog-entries.ts';
import { TimeZone } from '#forwarder/decode/syslog/time-zone.ts';
import { captured, sentBy } from '#test/fixtures/syslog/captured.ts';
import { readDatagram, readStream } from './syslog-stream.ts';

for (const one of captured) {
  const sent = sentBy(one);
  const options = { nulEnds: one.transport === 'unix' };
  describe(`${one.from}: ${one.how}`, () => {
    if (one.transport === 'udp') {
      test('datagrams', () => {
        assert.deepEqual(
          sent.map((datagram) => readDatagram(datagram)),
          one.messages,
        );
      });
      return;
    }
    const bytes = Buffer.concat(sent);
    test('whole', () => assert.deepEqual(readStream([bytes], options), one.messages));
    test('byte by byte', () => {
      const pieces = Array.from(bytes, (byte) => Buffer.from([byte]));
      assert.deepEqual(readStream(pieces, options), one.messages);
    });
    test('cut at every place', () => {
      for (let at = 0; at <= bytes.length; at += at > 2000 && at < 16_000 ? 97 : 1) {
        assert.deepEqual(
          readStream([bytes.subarray(0, at), bytes.subarray(at)], options),
          one.messages,
          `cut at ${at}`,
        );
      }
    });
  });
}

const corpus = captured.flatMap(sentBy).filter((bytes) => bytes.length < 1000);

/** Whatever comes: one well-formed entry, with all that is no header in its text. */
function readsAnything(bytes: Buffer): void {
  const writer = new MsgpackWriter();
  new SyslogEntries(new TimeZone('Europe/Berlin')).append(writer, {
    bytes,
    start: 0,
    end: bytes.length,
    receivedSeconds: 1_800_000_000,
    host: '192.0.2.1',
    part: null,
  });
  const entry = writer.take();
  assert.equal(countEntries(entry, 0, entry.length), 1);
}

test('any bytes are an entry', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      readsAnything(Buffer.from(bytes));
      readsAnything(Buffer.concat([Buffer.from('<13>1 2026-11-21T06:47:31.422682+00:00 h a p m ['), bytes]));
      readsAnything(Buffer.concat([Buffer.from('<13>Nov 21 06:47:31 '), bytes]));
    }),
  );
});

test('a captured message that is cut or damaged anywhere is an entry', () => {
  for (const bytes of corpus) {
    for (let at = 0; at < bytes.length; at += 1) {
      readsAnything(bytes.subarray(0, at));
      const damaged = Buffer.from(bytes);
      damaged[at] = (at * 31) & 0xff;
      readsAnything(damaged);
    }
  }
});

test('a damaged stream is read to its end, the same however it is cut', () => {
  const streams = captured.filter(({ transport }) => transport !== 'udp').map((one) => Buffer.concat(sentBy(one)));
  fc.assert(
    fc.property(
      fc.constantFrom(...streams.map((bytes) => bytes.subarray(0, 700))),
      fc.nat(699),
      fc.uint8Array({ maxLength: 4 }),
      fc.nat(699),
      (bytes, at, put, cut) => {
        const damaged = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + 1)]);
        const whole = readStream([damaged], { pieceBytesMax: 1024 });
        assert.deepEqual(readStream([damaged.subarray(0, cut), damaged.subarray(cut)], { pieceBytesMax: 1024 }), whole);
      },
    ),
  );
});
