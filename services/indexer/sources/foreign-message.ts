// A message of others → what a record of ours is when it is opened: rows, entries, and where these end. Everything
// behind goes on as if Sluice had written it.
//
//   identity   foreign-identity.ts: topic, its id, partition, offset, timestamp and content; index: its number there
//   time       by the rule, else Kafka's timestamp
//   sequence   the offset, so that events of the same time keep their order
//
// Guarantees: each message is one event at least: an empty one, a tombstone, and one that has no event for its format
// is its text, marked (`log.flags: ["unread"]`). The same message gives the same bytes and names whenever it is read.

import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { headersOf } from '#shared/queue/foreign-headers.ts';
import type { FetchedRecord, RecordSource } from '#shared/queue/queue.ts';
import { FOREIGN_TEXT_INPUT, foreignRecordIdentity } from '#shared/record/foreign-identity.ts';
import { INDEX_END } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';
import { MessageEntries, type MessageFacts, type RowOfMessage } from './message-entries.ts';
import { addEvents } from './message-formats.ts';
import { TagTemplate } from './tag-template.ts';

export interface OpenedMessage {
  readonly batches: readonly Batch[];
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

/** A date_nanos ends in 2262; a producer that writes microseconds for milliseconds is far behind it. */
const TIME_MS_MAX = 9_223_372_036_000;
/** Room for the events of a message between its sequence and the next one's. */
const SEQUENCE_STEP = 4096;
const OFFSET_MAX = 2 ** 40;
const OWN_TAG = '{topic}';
const KEPT_NAME = 'kafka_message';

/** What is the same for all messages of a partition. */
type Plan = Pick<MessageFacts, 'tag' | 'time'>;
const plans = new WeakMap<RecordSource, Plan>();

/** Null where it stands for a batch that could not be unpacked. */
export async function openMessage(record: FetchedRecord, source: RecordSource): Promise<OpenedMessage | null> {
  if ('unreadable' in record.headers) return null;
  const value = bufferOf(record.value);
  const isTombstone = 'null' in record.headers;
  const facts = factsOf(record, source);
  if (!isTombstone) {
    const entries = new MessageEntries(facts);
    const addText = (text: Uint8Array): void => entries.text(text, false, exactPairs(text));
    if (await addEvents(value, source.rule.format, entries, addText)) return openedOf(entries);
  }
  const whole = new MessageEntries(facts);
  whole.text(value, false, isTombstone ? tombstonePairs() : exactPairs(value));
  return openedOf(whole);
}

/**
 * The message as text, for a dead letter: no event of the message has its name, whatever its format made of it.
 */
export function messageAsText(
  record: FetchedRecord,
  source: RecordSource,
): { readonly batch: Batch; readonly index: number; readonly entry: Uint8Array } {
  const facts = factsOf(record, source);
  const entries = new MessageEntries(facts);
  entries.text(record.value, false, exactPairs(record.value));
  const index = INDEX_END - 1;
  const batch = {
    version: 2 as const,
    ...facts.row,
    first: index,
    count: 1,
    tag: facts.tag.tagOf(null),
    input: FOREIGN_TEXT_INPUT,
    chain: null,
  };
  return { batch, index, entry: new Uint8Array(entries.bytes) };
}

function openedOf({ batches, bytes, ends }: MessageEntries): OpenedMessage {
  return { batches, bytes, ends };
}

function factsOf(record: FetchedRecord, source: RecordSource): MessageFacts {
  const { tag, time } = planOf(source);
  const { count, pairs } = keptOf(record, source);
  return { row: rowOf(record, source), tag, time, kept: pairs, keptCount: count, bytes: record.value.length };
}

function rowOf({ offset, timestampMs, value }: FetchedRecord, source: RecordSource): RowOfMessage {
  const { topic, topicId, partition, rule } = source;
  const receivedMs = timestampMs >= 0 && timestampMs < TIME_MS_MAX ? Math.floor(timestampMs) : 0;
  const place = { topic, topicId, partition, offset, timestampMs: receivedMs };
  return {
    id: foreignRecordIdentity({ ...place, valueCrc32: crc32(value) }),
    tenant: rule.tenant ?? null,
    receivedMs,
    seq: Math.min(offset, OFFSET_MAX) * SEQUENCE_STEP,
    sender: `kafka:${topic}`,
  };
}

function planOf(source: RecordSource): Plan {
  const known = plans.get(source);
  if (known) return known;
  const { tag = OWN_TAG, time } = source.rule;
  const plan = {
    tag: new TagTemplate(tag, source),
    time: time === undefined ? null : { name: Buffer.from(time.field), format: time.format },
  };
  plans.set(source, plan);
  return plan;
}

const keptPairs = new MsgpackWriter();
const NOTHING_KEPT = { pairs: new Uint8Array(0), count: 0 };

/** `kafka_message: {topic, partition, offset, key, headers}`, as far as the rule asks. */
function keptOf(
  { offset, headers }: FetchedRecord,
  { topic, partition, rule: { keep = [] } }: RecordSource,
): { readonly pairs: Uint8Array; readonly count: number } {
  const { key } = headers;
  const hasKey = keep.includes('key') && key !== undefined;
  const own = keep.includes('headers') ? [...headersOf(headers)] : [];
  const hasPosition = keep.includes('position');
  const members = (hasPosition ? 3 : 0) + (hasKey ? 1 : 0) + (own.length > 0 ? 1 : 0);
  if (members === 0) return NOTHING_KEPT;
  const writer = keptPairs;
  writer.reset();
  writer.string(KEPT_NAME);
  writer.mapHeader(members);
  if (hasPosition) {
    writer.string('topic');
    writer.string(topic);
    writer.string('partition');
    writer.integer(partition);
    writer.string('offset');
    writer.integer(offset);
  }
  if (hasKey) {
    writer.string('key');
    writer.stringBytes(key);
  }
  if (own.length > 0) writeHeaders(writer, own);
  return { pairs: writer.take(), count: 1 };
}

/** A name that comes more than once has a list. */
function writeHeaders(writer: MsgpackWriter, headers: readonly (readonly [string, Uint8Array])[]): void {
  const byName = new Map<string, Uint8Array[]>();
  for (const [name, value] of headers) {
    const values = byName.get(name);
    if (values) values.push(value);
    else byName.set(name, [value]);
  }
  writer.string('headers');
  writer.mapHeader(byName.size);
  for (const [name, values] of byName) {
    writer.string(name);
    if (values.length > 1) writer.arrayHeader(values.length);
    for (const value of values) writer.stringBytes(value);
  }
}

/** What is no UTF-8 loses bytes as a text: here it has them all. */
function exactPairs(bytes: Uint8Array): { pairs: Uint8Array; count: number } {
  if (isUtf8(bytes)) return NOTHING_KEPT;
  return pairOf('kafka_value_base64', (writer) => writer.string(bufferOf(bytes).toString('base64')));
}

function tombstonePairs(): { pairs: Uint8Array; count: number } {
  return pairOf('kafka_tombstone', (writer) => writer.boolean(true));
}

function pairOf(name: string, write: (writer: MsgpackWriter) => void): { pairs: Uint8Array; count: number } {
  const writer = new MsgpackWriter();
  writer.string(name);
  write(writer);
  return { pairs: writer.take(), count: 1 };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
