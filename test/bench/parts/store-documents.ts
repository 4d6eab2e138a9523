// The documents of the bench of Elasticsearch, as bodies of `_bulk`: as our indexer writes them, and as a peer does.
// Both are made of the same events: containers' lines of 200 bytes, as Docker's fluentd driver sends them, some of a
// container at a time.

import { BulkBody } from '#indexer/bulk/body.ts';
import type { DocumentOptions } from '#indexer/parse/document/document-parts.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import { DATA_STREAM_DEFAULT } from '#indexer/parse/route.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { randomIdentity } from '#shared/record/identity.ts';
import type { BulkRequest } from '#shared/store/store.ts';
import { seeded } from '#test/indexer/world.ts';

const BODY_BYTES = 4 * 1024 * 1024;
const START_MS = 1_767_323_045_000;
const CONTAINERS = 40;
const EVENTS_PER_BATCH = 10;
const MESSAGE_LETTERS = 200;
const SEED = 20261122;

interface Event {
  readonly timeMs: number;
  readonly container: { readonly id: string; readonly name: string };
  readonly log: string;
}

/** `letters`: a multiple of four. */
function hex(random: () => number, letters: number): string {
  let text = '';
  while (text.length < letters)
    text += Math.floor(random() * 0x1_0000)
      .toString(16)
      .padStart(4, '0');
  return text;
}

function* eventsOf(documents: number): Generator<Event> {
  const random = seeded(SEED);
  const containers = Array.from({ length: CONTAINERS }, (_, i) => ({ id: hex(random, 64), name: `/shop-web-${i}` }));
  const pick = <T>(values: readonly T[]): T | undefined => values[Math.floor(random() * values.length)];
  let container = { id: '', name: '' };
  for (let i = 0; i < documents; i++) {
    if (i % EVENTS_PER_BATCH === 0) container = pick(containers) ?? container;
    const timeMs = START_MS + i;
    const log =
      `${new Date(timeMs).toISOString()} ${pick(['INFO', 'INFO', 'INFO', 'WARN', 'ERROR'])} ` +
      `request=${hex(random, 16)} ${pick(['GET', 'GET', 'POST', 'PUT'])} ` +
      `/api/v1/${pick(['items', 'carts', 'users'])}/` +
      `${Math.floor(random() * 100_000)} status=${pick([200, 200, 200, 201, 304, 404, 500])} ` +
      `duration=${(random() * 900).toFixed(1)}ms user=u${Math.floor(random() * 5000)} ` +
      `ip=10.${Math.floor(random() * 4)}.${Math.floor(random() * 256)}.${Math.floor(random() * 256)} agent=curl/8.1`;
    yield { timeMs, container, log: log.padEnd(MESSAGE_LETTERS, ' upstream took the request and closed it') };
  }
}

/** As the indexer writes them into data stream `stream`, under names that begin with the time. */
export function ourBodies(documents: number, stream: string, options: DocumentOptions = {}): Buffer[] {
  return Array.from(
    ourRequests(documents, { listsNumbers: true, ...options, perBatch: EVENTS_PER_BATCH, bytes: BODY_BYTES }),
    (request) => inStream(request, stream),
  );
}

/** The same as requests, of so many bytes or a little more each. */
export function* ourRequests(
  documents: number,
  { perBatch, bytes, ...options }: DocumentOptions & { readonly perBatch: number; readonly bytes: number },
): Generator<BulkRequest, void, void> {
  const body = new BulkBody();
  const writer = new DocumentWriter(body, options);
  for (const events of batchesOf(eventsOf(documents), perBatch)) {
    const entries = entriesOf(events);
    const receivedMs = (events[0]?.timeMs ?? 0) + 50;
    writer.startBatch(
      {
        id: randomIdentity(receivedMs),
        first: 0,
        count: events.length,
        tag: `docker.${events[0]?.container.id.slice(0, 12)}`,
        input: 'forward',
        tenant: null,
        receivedMs,
        seq: receivedMs * 1000,
        sender: 'node-17',
        version: 2,
        chain: null,
      },
      receivedMs + 100,
    );
    for (let start = 0, i = 0; start < entries.length; i++) {
      const end = entryEnd(entries, start, entries.length);
      writer.write(entries, start, end, i);
      start = end;
    }
    if (body.length >= bytes) yield body.request();
  }
  if (body.count > 0) yield body.request();
}

/** The same events as packed entries of a Forward chunk, so many in each. */
export function* packedChunks(documents: number, perBatch: number): Generator<Buffer, void, void> {
  for (const events of batchesOf(eventsOf(documents), perBatch)) yield entriesOf(events);
}

/** The same body, with the ids left to Elasticsearch. */
export function withoutIds(body: Buffer): Buffer {
  return Buffer.from(
    body.toString('latin1').replaceAll(/^(\{"create":\{"_index":"[^"]+"),"_id":"[^"]+"/gm, '$1'),
    'latin1',
  );
}

/** As a collector sends what Docker's driver gave it. */
export function peerBodies(documents: number, index: string): Buffer[] {
  const action = `${JSON.stringify({ create: { _index: index } })}\n`;
  const bodies: Buffer[] = [];
  let text = '';
  for (const { timeMs, container, log } of eventsOf(documents)) {
    const document = { container_id: container.id, container_name: container.name, source: 'stdout', log };
    text += `${action}${JSON.stringify({ '@timestamp': new Date(timeMs).toISOString(), ...document })}\n`;
    if (text.length >= BODY_BYTES) bodies.push(Buffer.from(text));
    if (text.length >= BODY_BYTES) text = '';
  }
  if (text !== '') bodies.push(Buffer.from(text));
  return bodies;
}

function* batchesOf(events: Iterable<Event>, size: number): Generator<Event[]> {
  let batch: Event[] = [];
  for (const event of events) {
    batch.push(event);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function entriesOf(events: readonly Event[]): Buffer {
  const writer = new MsgpackWriter();
  for (const { timeMs, container, log } of events) {
    writer.arrayHeader(2);
    writer.eventTime(Math.floor(timeMs / 1000), (timeMs % 1000) * 1_000_000);
    const record = { container_id: container.id, container_name: container.name, source: 'stdout', log };
    writer.mapHeader(4);
    for (const [key, value] of Object.entries(record)) {
      writer.string(key);
      writer.string(value);
    }
  }
  return writer.take();
}

function inStream({ body }: BulkRequest, stream: string): Buffer {
  return Buffer.from(
    Buffer.from(body).toString('latin1').replaceAll(`"_index":"${DATA_STREAM_DEFAULT}"`, `"_index":"${stream}"`),
    'latin1',
  );
}
