// How the embedded queue stores dead letters: a value that zstd makes smaller is stored compressed. Otherwise a few
// bytes that a sender compressed would use megabytes of its budget. Queue.read gives every reader the original value;
// nobody else knows of it.
//
//   packed   headers   those of the dead letter and value_encoding "zstd", value_bytes, value_cut?, cut "1"
//            value     a zstd frame
//
// A program that knows nothing of this takes the value for the beginning of one (`cut`): it shows that, and never
// replays it.
//
// Guarantees: unpack(pack(x)) = x; no more is unpacked than the row claims, and than a row can have; a damaged value is
// reported in `error`, and counts as cut.

import { setImmediate as turn } from 'node:timers/promises';
import { reasonOf } from '#shared/errors.ts';
import { Exclusive } from '#shared/exclusive.ts';
import { compress, decompress } from '#shared/record/compression.ts';
import type { DeadLetterAppend } from '../dead-letter-appends.ts';
import { type Headed, headedDeadLetter } from '../headers.ts';
import { MARK_FROM } from '../dead-letter.ts';
import type { FetchedRecord } from '../queue.ts';
import { costOf, type DeadLetterCharge } from './dead-letter-budget.ts';
import { headersBytes } from './log/packed-records.ts';
import { deadLetterChargeOf } from './dead-letter-space.ts';

const ENCODING = 'zstd';
const YES = Buffer.from('1');
const NOTHING = new Uint8Array(0);
/** A smaller value gains next to nothing: its headers take as much. */
const PACKED_FROM_BYTES = 512;
/** What the further headers take. */
const HEADERS_BYTES = 80;
/** What is larger than an append travels in fragments, each packed by itself. */
const UNPACKED_BYTES_MAX = 16 * 1024 * 1024;
/** So much is compressed between turns of the event loop, where it is done in place. */
const TURN_BYTES = 64 * 1024;

/** An append as it is stored. */
interface PackedAppend {
  readonly records: readonly Headed[];
  readonly deadLetters: DeadLetterCharge;
}

/**
 * One at a time: an indexer may have thousands of dead letters in hand, and each that is compressed takes memory beside
 * its bytes.
 */
export class DeadLetterPacker {
  readonly #inOrder = new Exclusive();
  #bytes = 0;

  /** Appends that follow one another. The first one knows what all fragments of a large dead letter take. */
  pack(appends: readonly DeadLetterAppend[]): Promise<PackedAppend[]> {
    return this.#inOrder.run(() => this.#packAll(appends));
  }

  async #packAll(appends: readonly DeadLetterAppend[]): Promise<PackedAppend[]> {
    const packed: Headed[][] = [];
    for (const { deadLetters } of appends) {
      const records: Headed[] = [];
      for (const deadLetter of deadLetters) {
        const headed = headedDeadLetter(deadLetter);
        // What was replayed is to be seen by every version.
        records.push(deadLetter.from === MARK_FROM ? headed : await this.#pack(headed));
      }
      packed.push(records);
    }
    const isWhole = appends[0]?.deadLetters[0]?.fragment?.at === 0;
    const wholeBytes = isWhole ? packed.flat().reduce((sum, record) => sum + costOf(storedBytes(record)), 0) : 0;
    return appends.map(({ deadLetters }, i) => ({
      records: packed[i] ?? [],
      deadLetters: deadLetterChargeOf(deadLetters, i === 0 ? wholeBytes : 0),
    }));
  }

  async #pack({ headers, value }: Headed): Promise<Headed> {
    if (value.length <= PACKED_FROM_BYTES || value.length > UNPACKED_BYTES_MAX) return { headers, value };
    this.#bytes += value.length;
    if (this.#bytes > TURN_BYTES) {
      await turn();
      this.#bytes = 0;
    }
    const packed = await compress(value);
    if (packed.length + HEADERS_BYTES >= value.length) return { headers, value };
    return {
      headers: {
        ...headers,
        cut: YES,
        value_encoding: Buffer.from(ENCODING),
        value_bytes: Buffer.from(String(value.length)),
        ...(headers['cut'] !== undefined && { value_cut: YES }),
      },
      value: packed,
    };
  }
}

/** The dead letter as it was before it was packed. */
export async function unpackedDeadLetter(record: FetchedRecord): Promise<FetchedRecord> {
  const { value_encoding: encoding, value_bytes: claim, value_cut: isCut, cut, ...rest } = record.headers;
  if (encoding === undefined) return record;
  try {
    const value = await unpacked(record.value, textOf(encoding), textOf(claim));
    return { ...record, headers: { ...rest, ...(isCut !== undefined && { cut: YES }) }, value };
  } catch (failure) {
    const error = Buffer.from(`${textOf(rest['error'])}; its value cannot be read: ${reasonOf(failure)}`);
    return { ...record, headers: { ...rest, cut: cut ?? YES, error }, value: NOTHING };
  }
}

async function unpacked(value: Uint8Array, encoding: string, claim: string): Promise<Uint8Array> {
  if (encoding !== ENCODING) throw new Error(`it is stored as ${JSON.stringify(encoding)}`);
  const bytes = /^[1-9]\d{0,8}$/.test(claim) ? Number(claim) : Infinity;
  if (bytes > UNPACKED_BYTES_MAX) throw new Error(`it claims to have ${JSON.stringify(claim)} bytes`);
  const whole = await decompress(value, ENCODING, bytes);
  if (whole.length !== bytes) throw new Error(`it has ${whole.length} bytes of ${bytes}`);
  return whole;
}

function storedBytes({ headers, value }: Headed): number {
  return headersBytes(headers) + value.length;
}

function textOf(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? NOTHING).toString('utf8');
}
