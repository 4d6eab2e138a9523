// Converts bodies within memory that is taken before. What is made of most has about their size. In some dialects all
// events of a body share what is said once, such as the attributes of a resource: twenty kilobytes become sixteen
// megabytes there, and a hundred senders may bring them at once.
//
// Guarantees: what small bodies of these dialects make, until it is stored, is within one budget; each has what
// ordinary ones need. One that makes more is converted again, in the turn of a large body, in a thread. A large body
// has the memory of what ordinary ones of its size make; one that makes more is converted again, with that of the
// largest.

import type { IncomingMessage } from 'node:http';
import type { ConversionName, ConversionOptions, Converted } from '../../dialects/conversions.ts';
import { buffersOf, sharesPairs, unpackedBytes } from '../../dialects/conversions.ts';
import { freeBuffer } from '#shared/memory/free-buffer.ts';
import { BODY_COPIES } from '../body/body-decompressor.ts';
import type { BodyReader } from '../body/body-reader.ts';
import type { Converter } from './converter.ts';
import { LARGE_BODY_BYTES } from '../turns/large-body-slots.ts';

export interface BoundedConversionOptions {
  readonly bodies: Pick<BodyReader, 'acquireShared'>;
  readonly converter: Converter;
  readonly request: IncomingMessage;
  /** Whose share of the memory it uses. */
  readonly sender: string;
  /** Its turn of the event loop: asked for once it has memory, for of those who wait for that many go on at once. */
  readonly begin: () => Promise<void>;
  /** Until its events are stored or refused. */
  readonly held: DisposableStack;
  /** What it has of what large bodies share: its turn, and memory. */
  readonly large: () => { take(bytes: number): Promise<void> };
}

/**
 * What ordinary bodies make at most: an exporter's 512 records of 200 bytes under the attributes of a process, 2 KiB.
 */
const USUAL_BYTES_FREE = 1024 * 1024;
const USUAL_GROWTH = 4;
/** Of large ones, which have longer lines; their memory keeps others from theirs. */
const USUAL_GROWTH_OF_LARGE = 3;

/**
 * The body, which is void from here on, to what its dialect makes of it. Rejects as the converter does, and with
 * intake_full, or request_malformed where the sender is gone.
 */
export async function convertWithin<N extends ConversionName>(
  name: N,
  body: Buffer,
  options: ConversionOptions<N>,
  { bodies, converter, request, sender, begin, held, large }: BoundedConversionOptions,
): Promise<Converted<N>> {
  const bytes = unpackedBytes(name, body);
  const isLarge = bytes > LARGE_BODY_BYTES;
  if (!sharesPairs(name, options)) {
    if (isLarge) await large().take(bytes);
    await begin();
    return converter.convert(name, body, options);
  }
  const { bytesMax } = options;
  const growth = isLarge ? USUAL_GROWTH_OF_LARGE : USUAL_GROWTH;
  const usualMax = Math.min(bytesMax, USUAL_BYTES_FREE + growth * bytes);
  if (isLarge) {
    // A body that is packed is unpacked meanwhile.
    await large().take(bytes + usualMax + (bytes > body.length ? bytes : 0));
    await begin();
    // A thread takes the bytes over.
    const isKept = usualMax < bytesMax && !converter.isInline(bytes);
    const given = isKept ? Buffer.from(body) : body;
    const converted = await converter.convert(name, given, { ...options, bytesMax: usualMax });
    if (usualMax === bytesMax || !isTooLarge(converted)) {
      if (isKept) freeBuffer(body);
      return converted;
    }
  } else {
    using taken = new DisposableStack();
    const permit = taken.use(await bodies.acquireShared(usualMax, sender, request));
    await begin();
    // A thread takes the bytes over.
    const given = converter.isInline(bytes) ? body : Buffer.from(body);
    const converted = await converter.convert(name, given, { ...options, bytesMax: usualMax });
    if (usualMax === bytesMax || !isTooLarge(converted)) {
      permit.shrinkTo([...buffersOf(converted)].reduce((sum, { byteLength }) => sum + byteLength, 0));
      held.use(taken.move());
      return converted;
    }
  }
  await large().take(BODY_COPIES * bytesMax);
  return converter.convert(name, body, options, bytesMax);
}

function isTooLarge(converted: Converted<ConversionName>): boolean {
  return 'kind' in converted && converted.kind === 'too_large';
}
