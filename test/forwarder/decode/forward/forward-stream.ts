// What a stream of the Forward protocol holds, by the same steps as a session takes, but in one go: for tests.

import { FrameReader } from '#forwarder/accept/frames/frame-reader.ts';
import { ForwardDecoder, type ForwardFrame, type ForwardRefusal } from '#forwarder/decode/forward/forward-frame.ts';
import { jsonFrame } from '#forwarder/decode/forward/json-mode.ts';
import { countEntries } from '#shared/msgpack/extents.ts';
import { FRAME_MALFORMED, NEED_MORE } from '#shared/msgpack/frame-scanner.ts';
import { decompress } from '#shared/record/compression.ts';
import { opened } from '../plain-walk.ts';

export type Seen =
  | 'heartbeat'
  | 'stream malformed'
  | 'frame too large'
  | ForwardRefusal
  | (ForwardFrame & {
      /** As it came. */
      readonly body: Buffer;
      /** The entries, uncompressed; of damaged ones what comes out. */
      readonly run: Buffer;
      /** How many; below 0 where they are none. */
      readonly count: number;
      readonly isDamaged: boolean;
    });

export async function readStream(pieces: readonly Buffer[], frameBytesMax = 1024 * 1024): Promise<Seen[]> {
  const reader = new FrameReader({ frameBytesMax });
  const decoder = new ForwardDecoder();
  const seen: Seen[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (;;) {
      const bytes = reader.next();
      if (bytes === NEED_MORE) break;
      if (bytes === FRAME_MALFORMED) return [...seen, 'stream malformed'];
      if (!Buffer.isBuffer(bytes)) return [...seen, 'frame too large'];
      seen.push(await decodeFrame(reader.isJson ? jsonFrame(bytes) : bytes, decoder, frameBytesMax));
    }
  }
  return seen;
}

async function decodeFrame(bytes: Buffer | ForwardRefusal, decoder: ForwardDecoder, bytesMax: number): Promise<Seen> {
  if (!Buffer.isBuffer(bytes)) return bytes;
  const frame = decoder.decode(bytes);
  if (frame.kind === 'heartbeat') return 'heartbeat';
  if (frame.kind === 'malformed' || frame.kind === 'signal') return frame;
  const body = bytes.subarray(frame.start, frame.end);
  if (frame.kind === 'message')
    return { ...frame, body, run: Buffer.concat([Buffer.from([0x92]), body]), count: 1, isDamaged: false };
  try {
    const run = await decompress(body, frame.encoding, bytesMax);
    return { ...frame, body, run, count: countEntries(run, 0, run.length), isDamaged: false };
  } catch {
    const run = frame.encoding === 'identity' ? body : opened(body, frame.encoding);
    return { ...frame, body, run, count: -1, isDamaged: true };
  }
}
