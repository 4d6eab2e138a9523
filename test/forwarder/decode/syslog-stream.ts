// Reads syslog messages as the inputs do, for tests: pieces of a stream, or datagrams, to entries.

import { Decoder, ExtensionCodec } from '@msgpack/msgpack';
import { type Part, SyslogEntries } from '#forwarder/decode/syslog-entries.ts';
import { SyslogFrames } from '#forwarder/decode/syslog-frames.ts';
import { TimeZone } from '#forwarder/decode/time-zone.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';

/** The times of the fixtures have no year. */
const RECEIVED_MS = Date.UTC(2026, 10, 21, 7);

export interface ReadOptions {
  readonly pieceBytesMax?: number;
  readonly nulEnds?: boolean;
  readonly zone?: string;
  readonly receivedMs?: number;
  readonly host?: string;
}

export type Entry = Record<string, unknown>;

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

const extensions = new ExtensionCodec();
extensions.register({ type: 0, encode: () => null, decode: (data) => timeText(Buffer.from(data)) });

/** The record with its time as text; strings that are no UTF-8 as hex digits. */
function entryOf(bytes: Buffer): Entry {
  const decoder = new Decoder({ extensionCodec: extensions, rawStrings: true });
  const [time, record] = decoder.decode(bytes) as [unknown, unknown];
  return { time, ...(textOf(record) as Entry) };
}

function timeText(data: Buffer): string {
  const second = new Date(data.readUInt32BE(0) * 1000).toISOString().slice(0, 19);
  const nanoseconds = data.readUInt32BE(4);
  return nanoseconds === 0 ? `${second}Z` : `${second}.${String(nanoseconds).padStart(9, '0').replace(/0+$/, '')}Z`;
}

function textOf(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    const bytes = Buffer.from(value);
    const text = bytes.toString();
    if (!Buffer.from(text).equals(bytes)) return `hex ${bytes.toString('hex')}`;
    return text.length > 200 ? `${text.slice(0, 20)}… ${bytes.length}` : text;
  }
  if (Array.isArray(value)) return value.map(textOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, textOf(inner)]));
}
