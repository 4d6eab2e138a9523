// Reads GELF as the inputs do, for tests: pieces of a stream, or datagrams, to entries, and "malformed: why".

import { unzipSync } from 'node:zlib';
import { GelfChunks, isGelfChunk } from '#forwarder/decode/gelf/gelf-chunks.ts';
import { GelfEntries } from '#forwarder/decode/gelf/gelf-entries.ts';
import { GelfFrames } from '#forwarder/decode/gelf/gelf-frames.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { type Entry, entryOf } from '../entry-text.ts';

export type Seen = Entry | string;

export function readMessage(text: Buffer): Seen {
  const writer = new MsgpackWriter();
  const refusal = new GelfEntries().append(writer, text);
  return refusal === null ? entryOf(writer.take()) : `malformed: ${refusal}`;
}

export function readStream(pieces: readonly Buffer[], messageBytesMax = 1_000_000): Seen[] {
  const frames = new GelfFrames(messageBytesMax);
  const seen: Seen[] = [];
  const readAll = (): void => {
    for (let kind = frames.next(); kind !== 'more'; kind = frames.next()) {
      seen.push(kind === 'whole' ? readMessage(frames.message) : kind);
    }
  };
  for (const piece of pieces) {
    frames.push(Buffer.from(piece));
    readAll();
  }
  frames.finish();
  readAll();
  return seen;
}

export function readDatagrams(datagrams: readonly Buffer[]): Seen[] {
  const limits = {
    timeoutMs: 5000,
    bytesMax: 1e6,
    messagesMax: 100,
    senderBytesMax: 1e6,
    senderMessagesMax: 100,
  };
  const chunks = new GelfChunks(limits, () => undefined);
  const seen: Seen[] = [];
  for (const datagram of datagrams) {
    const whole = isGelfChunk(datagram) ? chunks.add(datagram, 'sender', 0) : datagram;
    if (whole === 'wait') continue;
    if (whole === 'malformed') seen.push(whole);
    else seen.push(readMessage(whole[0] === 0x7b ? whole : unzipSync(whole)));
  }
  return seen;
}
