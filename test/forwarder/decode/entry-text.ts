// Entries as tests like to compare them: one flat object, times and long texts in a form that can be written down.

import { Decoder, ExtensionCodec } from '@msgpack/msgpack';

export type Entry = Record<string, unknown>;

const extensions = new ExtensionCodec();
extensions.register({ type: 0, encode: () => null, decode: (data) => timeText(Buffer.from(data)) });

/** The record with its time as text; strings that are no UTF-8 as hex digits. */
export function entryOf(bytes: Buffer): Entry {
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
