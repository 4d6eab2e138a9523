// A document that was meant for Elasticsearch to a record: what the Elastic Common Schema has nested (Beats, Logstash)
// is put where the indexer looks for it; all else stays as it is.
//
//   "@timestamp": "2026-01-02T03:04:05Z"             the entry's time (text, or milliseconds)
//   "host": {"name": "n"}, "log": {"level": "i"}     "host.name": "n", "log.level": "i"      (container, service too)
//   "kubernetes": {"pod": {"name": "p"}, …}          "kubernetes": {"pod_name": "p", …}

import { isMap } from '#shared/msgpack/extents.ts';
import { MsgpackReader } from '#shared/msgpack/reader.ts';
import { type EventTime, eventTimeOfMs } from '#shared/record/event-time.ts';
import { eventTimeOfIso } from '../../decode/iso-time.ts';
import { Pairs, keyOf } from '#shared/otlp/entry-builder.ts';

const NO_BYTES = Buffer.alloc(0);
const DOT = Buffer.from('.');
/**
 * Objects whose members become keys with a dot. Only these: a prefix of the sender's own could be long, and be there
 * many times.
 */
const FLATTENED: ReadonlySet<string> = new Set(['host', 'container', 'container.image', 'service', 'log']);
/** Longer names mean nothing here. */
const NAME_BYTES_MAX = 10;
const KUBERNETES = keyOf('kubernetes');
const NAMESPACE = keyOf('namespace_name');
/** By `<object>.<member>` of the schema's `kubernetes`. */
const POD: ReadonlyMap<string, Buffer> = new Map([
  ['pod.name', keyOf('pod_name')],
  ['pod.uid', keyOf('pod_id')],
  ['pod.ip', keyOf('pod_ip')],
  ['container.name', keyOf('container_name')],
  ['container.image', keyOf('container_image')],
  ['node.name', keyOf('host')],
]);

export class DocumentFields {
  readonly pairs = new Pairs();
  /** Null where the document has none that can be read; what is there then stays a field. */
  time: EventTime | null = null;
  readonly #pod = new Pairs();

  /** Takes the document, a msgpack map. */
  take(bytes: Buffer): void {
    this.pairs.reset();
    this.#pod.reset();
    this.time = null;
    const reader = new MsgpackReader(bytes);
    for (let left = reader.mapHeader() ?? 0; left > 0; left -= 1) {
      const key = reader.bytes() ?? NO_BYTES;
      const at = reader.position;
      reader.skip();
      this.#pair(bytes, key, at, reader.position);
    }
    this.pairs.map(KUBERNETES, this.#pod);
  }

  #pair(bytes: Buffer, key: Buffer, at: number, end: number): void {
    const name = key.length <= NAME_BYTES_MAX ? key.toString('latin1') : '';
    if (name === '@timestamp') {
      this.time = timeAt(bytes, at);
      if (this.time) return;
    } else if (isMap(bytes[at] ?? 0)) {
      if (name === 'kubernetes') return this.#kubernetes(bytes, at);
      if (FLATTENED.has(name)) return this.#flatten(bytes, key, at);
    }
    this.pairs.textKey(key).raw(bytes, at, end);
  }

  #flatten(bytes: Buffer, prefix: Buffer, mapAt: number): void {
    const reader = new MsgpackReader(bytes, mapAt);
    for (let left = reader.mapHeader() ?? 0; left > 0; left -= 1) {
      const key = Buffer.concat([prefix, DOT, reader.bytes() ?? NO_BYTES]);
      const at = reader.position;
      reader.skip();
      if (isMap(bytes[at] ?? 0) && FLATTENED.has(key.toString('latin1'))) this.#flatten(bytes, key, at);
      else this.pairs.textKey(key).raw(bytes, at, reader.position);
    }
  }

  #kubernetes(bytes: Buffer, mapAt: number): void {
    const reader = new MsgpackReader(bytes, mapAt);
    for (let left = reader.mapHeader() ?? 0; left > 0; left -= 1) {
      const key = reader.bytes() ?? NO_BYTES;
      const name = key.toString('latin1');
      const at = reader.position;
      reader.skip();
      const isObject = isMap(bytes[at] ?? 0);
      if (isObject && (name === 'pod' || name === 'container' || name === 'node')) this.#podObject(bytes, key, at);
      else if (name === 'namespace') this.#pod.key(NAMESPACE).raw(bytes, at, reader.position);
      else this.#pod.textKey(key).raw(bytes, at, reader.position);
    }
  }

  #podObject(bytes: Buffer, prefix: Buffer, mapAt: number): void {
    const reader = new MsgpackReader(bytes, mapAt);
    for (let left = reader.mapHeader() ?? 0; left > 0; left -= 1) {
      const key = Buffer.concat([prefix, DOT, reader.bytes() ?? NO_BYTES]);
      const at = reader.position;
      reader.skip();
      const known = POD.get(key.toString('latin1'));
      const writer = known ? this.#pod.key(known) : this.#pod.textKey(key);
      writer.raw(bytes, at, reader.position);
    }
  }
}

function timeAt(bytes: Buffer, at: number): EventTime | null {
  const reader = new MsgpackReader(bytes, at);
  const text = reader.string();
  if (text !== undefined) return eventTimeOfIso(text);
  const ms = reader.safeInteger();
  return ms === undefined || ms < 0 || ms > 0xffffffff * 1000 ? null : eventTimeOfMs(ms);
}
