// Reads syslog messages as the inputs do, for tests: pieces of a stream, or datagrams, to entries.

import { type Part, SyslogEntries } from '#forwarder/decode/syslog/syslog-entries.ts';
import { SyslogFrames } from '#forwarder/decode/syslog/syslog-frames.ts';
import { TimeZone } from '#forwarder/decode/syslog/time-zone.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type Entry, entryOf } from '../entry-text.ts';

/** The times of the fixtures have no year. */
const RECEIVED_MS = Date.UTC(2026, 10, 21, 7);

export interface ReadOptions {
  readonly pieceBytesMax?: number;
  readonly nulEnds?: boolean;
  readonly zone?: string;
  readonly receivedMs?: number;
  readonly host?: string;
}

export function readStream(pieces: readonly Buffer[], options: ReadOptions = {}): Entry[] {
  const frames = new SyslogFrames({
    pieceBytesMax: options.pieceBytesMax ?? 65_536,
    nulEnds: options.nulEnds ?? false,
  });
  const entries = new SyslogEntries(new TimeZone(options.zone ?? 'UTC'));
  const writer = new MsgpackWriter();
  const texts: Buffer[] = [];
  let part: Part | null = null;
  const readAll = (): void => {
    for (let kind = frames.next(); kind !== 'more'; kind = frames.next()) {
      part =
        kind === 'whole'
          ? null
          : { id: 'p', ordinal: kind === 'first' ? 1 : (part?.ordinal ?? 0) + 1, last: kind === 'last' };
      append(writer, entries, frames, part, options);
      texts.push(writer.take());
      writer.reset();
    }
  };
  for (const piece of pieces) {
    frames.push(Buffer.from(piece));
    readAll();
  }
  frames.finish();
  readAll();
  return texts.map(entryOf);
}

export function readDatagram(bytes: Buffer, options: ReadOptions = {}): Entry {
  const writer = new MsgpackWriter();
  const entries = new SyslogEntries(new TimeZone(options.zone ?? 'UTC'));
  append(writer, entries, { bytes, start: 0, end: bytes.length }, null, options);
  return entryOf(writer.take());
}

function append(
  writer: MsgpackWriter,
  entries: SyslogEntries,
  { bytes, start, end }: { bytes: Buffer; start: number; end: number },
  part: Part | null,
  { receivedMs = RECEIVED_MS, host = '' }: ReadOptions,
): void {
  entries.append(writer, { bytes, start, end, receivedSeconds: Math.floor(receivedMs / 1000), host, part });
}
