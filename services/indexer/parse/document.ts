// An entry [time, record] → the JSON document of docs/documents.md: the entry's fields are found by position, then
// written in their order. Nothing is decoded that need not be looked at, and nothing is allocated for an event.
//
//   writer.startBatch(batch, ingestedMs);
//   writer.write(bytes, start, end, index)      → 'ok' and an item in the bulk body, or why there is none
//
// Guarantees: whatever the entry holds, the document is valid JSON that the template's mapping takes: what a field
// cannot hold goes under `attributes`. An entry that is no entry, or makes too large a document, leaves nothing in the
// body.

import assert from 'node:assert/strict';
import { isMap } from '#shared/msgpack/extents.ts';
import type { Batch } from '#shared/record/record.ts';
import type { BulkBody } from '../bulk/body.ts';
import { dataStreamOf } from './route.ts';
import { Entry } from './entry.ts';
import { RecordTime } from './record-time.ts';
import { type FieldTable, textEnd, textStart } from './fields.ts';
import { JsonBuffer, fragment } from '../json/json-buffer.ts';
import { JsonTranscoder, close } from './json-value.ts';
import * as names from './names.ts';
import { partOf } from './part.ts';
import { type TimeKind, Timestamp } from './timestamp.ts';

/** `part`: of a split line, to be joined first; nothing was written. */
export type Written = 'ok' | 'part' | 'entry_malformed' | 'document_too_large';

/** Beside the bytes, which are configured. What Elasticsearch takes of a document ends long before. */
export const VALUES_MAX = 256 * 1024;
const KEYS_MAX = 64 * 1024;
const PATH_BYTES_MAX = 8 * 1024 * 1024;

export interface DocumentOptions {
  /** Tenants whose records may name their own tenant and service, by TENANT_ID and SERVICE_ID. */
  readonly trusted?: ReadonlySet<string>;
  /** Of an entry, and of its document. */
  readonly bytesMax?: number;
}

export class DocumentWriter {
  readonly #body: BulkBody;
  readonly #json: JsonBuffer;
  readonly #entry = new Entry();
  readonly #values: JsonTranscoder;
  readonly #time = new Timestamp();
  #timeKind: TimeKind = 'now';
  /** Of batches whose records may tell their own time: what was posted as JSON or msgpack. Null: of no other. */
  #recordTime: RecordTime | null = null;

  readonly #trusted: ReadonlySet<string>;

  #batch: Batch | null = null;
  #dataStream = '';
  /** Whether a record of the batch may name its own tenant and service. */
  #isTrusted = false;
  #ingestedMs = NaN;
  /** `"tenant":{…},` and `"fluentd":{…},` of the batch. */
  #tenant = fragment('');
  #origin = fragment('');
  /** `"event":{"ingested":…,"sequence":` */
  readonly #event = new JsonBuffer(Buffer.allocUnsafe(128));

  readonly #bytesMax: number;

  constructor(body: BulkBody, { trusted = NOBODY, bytesMax = Infinity }: DocumentOptions = {}) {
    this.#body = body;
    this.#trusted = trusted;
    this.#bytesMax = bytesMax;
    this.#json = body.json;
    this.#values = new JsonTranscoder(this.#json, this.#entry.keys, {
      bytesMax,
      valuesMax: VALUES_MAX,
      keysMax: KEYS_MAX,
      pathBytesMax: PATH_BYTES_MAX,
    });
  }

  /** Values that were met in the entry that was written last, each time it was. */
  get valuesMet(): number {
    return this.#values.valuesMet;
  }

  /**
   * The entries that follow belong to `batch`; cheap, for a batch may have but one.
   * @param ingestedMs since the epoch: becomes `event.ingested`
   */
  startBatch(batch: Batch, ingestedMs: number): void {
    if (this.#batch === null || batch.tag !== this.#batch.tag || batch.tenant !== this.#batch.tenant) {
      const { tenant, tag } = batch;
      this.#isTrusted = tenant !== null && this.#trusted.has(tenant);
      this.#tenant = fragment(tenant === null ? '' : `"tenant":{"id":${JSON.stringify(tenant)}},`);
      this.#origin = fragment(`"fluentd":{"tag":${JSON.stringify(tag)}},`);
    }
    this.#batch = batch;
    this.#recordTime = batch.input === 'http' ? recordTime : null;
    this.#dataStream = dataStreamOf(batch);
    if (ingestedMs === this.#ingestedMs) return;
    this.#ingestedMs = ingestedMs;
    this.#event.at = 0;
    this.#event.ascii('"event":{"ingested":');
    this.#time.setMs(ingestedMs);
    this.#time.write(this.#event);
    this.#event.ascii(',"sequence":');
  }

  /**
   * Writes the entry in bytes[start, end) as an item of the body.
   * @param index of the entry in its batch, the batch's `first` included
   * @param partial whether it is of a line that was split and is not whole: `log.flags: ["partial"]`
   */
  write(bytes: Uint8Array, start: number, end: number, index: number, partial = false): Written {
    if (end - start > this.#bytesMax) return 'document_too_large';
    if (!this.#entry.find(bytes, start, end)) return 'entry_malformed';
    if (!partial && this.#entry.isMarkedPart && partOf(bytes, start, end) !== null) return 'part';
    this.#values.source(bytes);
    this.#document(index, partial);
    if (this.#values.rewrites()) {
      this.#body.rollback();
      this.#entry.find(bytes, start, end);
      this.#document(index, partial);
    }
    return this.#finish();
  }

  #document(index: number, partial: boolean): void {
    this.#start(index);
    this.#message();
    this.#stream();
    this.#log(partial ? PARTIAL : NO_FLAGS);
    this.#container();
    if (this.#entry.hasPod) this.#kubernetes();
    this.#named(HOST, this.#takeText(names.hostNames));
    this.#named(SERVICE, this.#takeText(this.#isTrusted ? names.trustedServiceNames : names.serviceNames));
    this.#tenantOf(this.#isTrusted ? this.#takeText(names.trustedTenantNames) : 0);
    this.#attributes();
    this.#end(index);
  }

  /** The document is whole, or is given up. */
  #finish(): Written {
    if (this.#values.isTooLarge) {
      this.#body.rollback();
      return 'document_too_large';
    }
    this.#body.end();
    return 'ok';
  }

  /**
   * Writes the entry as what no mapping refuses: its time, its record as JSON text in `message`, where it came from,
   * and `log.flags: ["as_text"]`. For an event that the store refused, under the same `_id`.
   */
  writeAsText(bytes: Uint8Array, start: number, end: number, index: number, partial = false): Written {
    if (end - start > this.#bytesMax) return 'document_too_large';
    if (!this.#entry.find(bytes, start, end)) return 'entry_malformed';
    this.#values.source(bytes);
    this.#documentAsText(index, partial);
    if (this.#values.rewrites()) {
      this.#body.rollback();
      this.#entry.find(bytes, start, end);
      this.#documentAsText(index, partial);
    }
    return this.#finish();
  }

  #documentAsText(index: number, partial: boolean): void {
    this.#start(index);
    this.#json.raw(MESSAGE);
    this.#values.valueAsText(this.#entry.recordAt);
    this.#json.raw(partial ? PARTIAL_AS_TEXT : AS_TEXT);
    this.#tenantOf(this.#isTrusted ? this.#takeText(names.trustedTenantNames) : 0);
    this.#end(index);
  }

  #start(index: number): void {
    const batch = this.#batch;
    assert(batch !== null, 'startBatch comes first');
    this.#body.start(this.#dataStream, batch, index);
    this.#values.resetLimits();
    this.#timeKind = this.#time.read(this.#values.bytes, this.#values.view, this.#entry.timeAt);
    if (this.#timeKind !== 'instant' && !this.#readRecordTime()) this.#time.setMs(batch.receivedMs);
    this.#json.raw(TIMESTAMP);
    this.#time.write(this.#json);
    this.#json.byte(COMMA);
  }

  /** Sets the time to what the record says itself, where the entry says nothing; false where neither does. */
  #readRecordTime(): boolean {
    if (this.#recordTime === null || this.#timeKind !== 'now') return false;
    return this.#recordTime.read(this.#values, this.#entry, this.#time);
  }

  /** The tenant that the record names at `at`; the batch's where that is 0. */
  #tenantOf(at: number): void {
    if (at === 0) {
      this.#json.raw(this.#tenant);
      return;
    }
    const start = this.#open(TENANT);
    this.#field(ID, at);
    this.#closeObject(start);
  }

  #end(index: number): void {
    const out = this.#json;
    out.raw(this.#origin);
    out.raw(this.#event);
    out.integer((this.#batch?.seq ?? 0) + index);
    out.raw(DOCUMENT_END);
  }

  #message(): void {
    const textAt = this.#takeText(names.messageNames);
    if (textAt !== 0) {
      this.#field(MESSAGE, textAt);
      return;
    }
    const { root } = this.#entry;
    for (const name of names.messageNames) {
      const at = root.values[name]!;
      if (at === 0 || this.#values.bytes[at] === NIL) continue;
      root.values[name] = 0;
      this.#json.raw(MESSAGE);
      this.#values.valueAsText(at);
      this.#json.byte(COMMA);
      return;
    }
  }

  #stream(): void {
    let at = this.#takeText(names.streamNames);
    if (at === 0) {
      // Docker says `source`; so do others, of other things.
      at = this.#entry.root.values[names.SOURCE]!;
      if (at === 0 || !isStreamName(this.#values.bytes, at)) return;
      this.#entry.root.values[names.SOURCE] = 0;
    }
    this.#field(STREAM, at);
  }

  #log(flags: JsonBuffer): void {
    const levelAt = this.#takeText(names.levelNames);
    if (levelAt === 0 && flags === NO_FLAGS) return;
    const start = this.#open(LOG);
    this.#field(LEVEL, levelAt);
    this.#json.raw(flags);
    this.#closeObject(start);
  }

  #container(): void {
    const entry = this.#entry;
    const start = this.#open(CONTAINER);
    this.#field(ID, this.#takeText(names.containerIdNames) || this.#takePodText(names.podContainerId));
    // Of a pod's container the name stands here too, so that one field finds every container.
    const nameAt =
      this.#takeText(names.containerNames) ||
      (entry.hasPod ? entry.pod.findText(this.#values.bytes, names.podContainer) : 0);
    if (nameAt !== 0) this.#nameWithoutSlash(nameAt);
    this.#named(IMAGE, this.#takeText(names.imageNames) || this.#takePodText(names.podImage));
    this.#closeObject(start);
  }

  #nameWithoutSlash(at: number): void {
    const { bytes, view } = this.#values;
    const start = textStart(bytes, at);
    const end = textEnd(bytes, at);
    this.#json.raw(NAME);
    this.#json.text(bytes, view, start < end && bytes[start] === SLASH ? start + 1 : start, end);
    this.#json.byte(COMMA);
  }

  #kubernetes(): void {
    const start = this.#open(KUBERNETES);
    this.#field(NAMESPACE, this.#takePodText(names.podNamespace));
    const podStart = this.#open(POD);
    this.#field(NAME, this.#takePodText(names.podName));
    this.#field(UID, this.#takePodText(names.podUid));
    this.#field(IP, this.#takePodText(names.podIp));
    this.#closeObject(podStart);
    this.#named(CONTAINER, this.#takePodText(names.podContainer));
    this.#named(NODE, this.#takePodText(names.podNode));
    this.#flattened(LABELS, names.LABELS_NAME);
    this.#flattened(ANNOTATIONS, names.ANNOTATIONS_NAME);
    this.#closeObject(start);
  }

  /** All that no field took. What is ours gives way to a key of the sender's own that has the same name. */
  #attributes(): void {
    const entry = this.#entry;
    const start = this.#open(ATTRIBUTES);
    if (this.#timeKind === 'unfit' && entry.root.values[names.TIME_NAME] === 0) this.#attribute(TIME, entry.timeAt);
    if (entry.metadataAt !== 0 && entry.root.values[names.METADATA_NAME] === 0)
      this.#attribute(METADATA, entry.metadataAt);
    this.#untaken(entry.root, rootKeys, 2);
    this.#values.members(0, entry.rootKeysEnd, 2);
    if (entry.hasPod) {
      const podStart = this.#open(KUBERNETES);
      this.#untaken(entry.pod, podKeys, 3);
      this.#values.members(entry.rootKeysEnd, entry.keys.top, 3);
      this.#closeObject(podStart);
    }
    this.#closeObject(start);
  }

  /** Values under known names that no field could hold. */
  #untaken(table: FieldTable, keys: readonly JsonBuffer[], level: number): void {
    for (let name = 0; name < keys.length; name += 1) {
      const at = table.values[name]!;
      if (at === 0) continue;
      this.#json.raw(keys[name]!);
      this.#values.value(at, level);
      this.#json.byte(COMMA);
    }
  }

  #attribute(key: JsonBuffer, at: number): void {
    this.#json.raw(key);
    this.#values.value(at, 2);
    this.#json.byte(COMMA);
  }

  /** A map of the pod's as a field of type `flattened`. */
  #flattened(key: JsonBuffer, name: number): void {
    const { pod } = this.#entry;
    const at = pod.values[name]!;
    if (at === 0 || !isMap(this.#values.bytes[at]!)) return;
    pod.values[name] = 0;
    this.#json.raw(key);
    this.#values.value(at, 1);
    this.#json.byte(COMMA);
  }

  /** `"key":"…",` of the str or bin at `at`; nothing if that is 0. */
  #field(key: JsonBuffer, at: number): void {
    if (at === 0) return;
    this.#json.raw(key);
    this.#values.text(at, false);
    this.#json.byte(COMMA);
  }

  /** `"key":{"name":"…"},` */
  #named(key: JsonBuffer, at: number): void {
    if (at === 0) return;
    this.#json.raw(key);
    this.#field(NAME, at);
    close(this.#json, OBJECT_END);
    this.#json.byte(COMMA);
  }

  #takeText(candidates: readonly number[]): number {
    return this.#entry.root.takeText(this.#values.bytes, candidates);
  }

  #takePodText(candidates: readonly number[]): number {
    return this.#entry.hasPod ? this.#entry.pod.takeText(this.#values.bytes, candidates) : 0;
  }

  /** Writes `"key":{`; returns where it began. */
  #open(key: JsonBuffer): number {
    const start = this.#json.at;
    this.#json.raw(key);
    return start;
  }

  /** Ends an object that has a comma after each member; one without members is taken back. */
  #closeObject(start: number): void {
    const out = this.#json;
    if (out.bytes[out.at - 1] !== COMMA) {
      out.at = start;
      return;
    }
    out.bytes[out.at - 1] = OBJECT_END;
    out.byte(COMMA);
  }
}

const recordTime = new RecordTime();
const NOBODY: ReadonlySet<string> = new Set();
const NIL = 0xc0;
const SLASH = 0x2f;
const COMMA = 0x2c;
const OBJECT_END = 0x7d;

const TIMESTAMP = fragment('{"@timestamp":');
const MESSAGE = fragment('"message":');
const STDOUT = Buffer.from('stdout');
const STDERR = Buffer.from('stderr');
const STREAM = fragment('"stream":');
const LOG = fragment('"log":{');
const LEVEL = fragment('"level":');
const NO_FLAGS = fragment('');
const PARTIAL = fragment('"flags":["partial"],');
const AS_TEXT = fragment(',"log":{"flags":["as_text"]},');
const PARTIAL_AS_TEXT = fragment(',"log":{"flags":["partial","as_text"]},');
const TENANT = fragment('"tenant":{');
const CONTAINER = fragment('"container":{');
const IMAGE = fragment('"image":{');
const ID = fragment('"id":');
const NAME = fragment('"name":');
const KUBERNETES = fragment('"kubernetes":{');
const NAMESPACE = fragment('"namespace":');
const POD = fragment('"pod":{');
const UID = fragment('"uid":');
const IP = fragment('"ip":');
const NODE = fragment('"node":{');
const LABELS = fragment('"labels":');
const ANNOTATIONS = fragment('"annotations":');
const HOST = fragment('"host":{');
const SERVICE = fragment('"service":{');
const ATTRIBUTES = fragment('"attributes":{');
const TIME = fragment('"fluentd.time":');
const METADATA = fragment('"fluentd.metadata":');
const DOCUMENT_END = fragment('}}');
const rootKeys = names.rootNames.map((name) => fragment(`"${name}":`));
const podKeys = names.podNames.map((name) => fragment(`"${name}":`));

/** Whether the str or bin at `at` says stdout or stderr. */
function isStreamName(bytes: Uint8Array, at: number): boolean {
  const start = textStart(bytes, at);
  const end = textEnd(bytes, at);
  return isEqual(bytes, start, end, STDOUT) || isEqual(bytes, start, end, STDERR);
}

function isEqual(bytes: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i += 1) if (bytes[start + i] !== text[i]) return false;
  return true;
}
