// The fields of a document that come from the record: which of its keys becomes which field, in the order of the
// document, and what is left for `attributes` (docs/documents.md). Positions stand for values; nothing is copied before
// it is written. A value is taken from the entry's table once, so that no other field has it as well.
//
// A step that finds fields in other bytes, such as the text of a line, has its place before `write`: it takes values
// from the entry's table, or puts others there.

import { isMap } from '#shared/msgpack/extents.ts';
import type { JsonBuffer } from '../json/json-buffer.ts';
import * as keys from './document-keys.ts';
import type { Entry } from './entry.ts';
import { type FieldTable, textEnd, textStart } from './fields.ts';
import type { JsonTranscoder } from './json-value.ts';
import * as names from './names.ts';
import { ObjectWriter } from './object-writer.ts';

const NIL = 0xc0;
const SLASH = 0x2f;
const COMMA = 0x2c;
const STDOUT = Buffer.from('stdout');
const STDERR = Buffer.from('stderr');

export class DocumentFields {
  readonly #json: JsonBuffer;
  readonly #entry: Entry;
  readonly #values: JsonTranscoder;
  readonly #object: ObjectWriter;
  /** Whether a record of the batch may name its own tenant and service. */
  #isTrusted = false;
  #isUnread = false;
  /** `"tenant":{…},` of the batch. */
  #tenant: JsonBuffer = keys.NOTHING;

  constructor(entry: Entry, values: JsonTranscoder) {
    this.#json = values.json;
    this.#entry = entry;
    this.#values = values;
    this.#object = new ObjectWriter(values);
  }

  /** `tenant`: what records have that name no other, or may not. `isUnread`: see FOREIGN_TEXT_INPUT. */
  startBatch(isTrusted: boolean, tenant: JsonBuffer, isUnread: boolean): void {
    this.#isUnread = isUnread;
    this.#isTrusted = isTrusted;
    this.#tenant = tenant;
  }

  /** `isTimeUnfit`: the entry's time is none that the document's can be, so that it is kept as an attribute. */
  write(partial: boolean, isTimeUnfit: boolean): void {
    this.#message();
    this.#stream();
    this.#log(this.#isUnread ? keys.UNREAD : partial ? keys.PARTIAL : keys.NO_FLAGS);
    this.#container();
    if (this.#entry.hasPod) this.#kubernetes();
    this.#object.named(keys.HOST, this.#takeText(names.hostNames));
    const serviceNames = this.#isTrusted ? names.trustedServiceNames : names.serviceNames;
    this.#object.named(keys.SERVICE, this.#takeText(serviceNames));
    this.#tenantOf();
    this.#attributes(isTimeUnfit);
  }

  /** The whole record as one text in `message`, and its tenant. */
  writeAsText(partial: boolean): void {
    this.#json.raw(keys.MESSAGE);
    this.#values.valueAsText(this.#entry.recordAt);
    this.#json.raw(this.#isUnread ? keys.UNREAD_AS_TEXT : partial ? keys.PARTIAL_AS_TEXT : keys.AS_TEXT);
    this.#tenantOf();
  }

  /** The tenant that the record names, if it may; else the batch's. */
  #tenantOf(): void {
    const at = this.#isTrusted ? this.#takeText(names.trustedTenantNames) : 0;
    if (at === 0) {
      this.#json.raw(this.#tenant);
      return;
    }
    const start = this.#object.open(keys.TENANT);
    this.#object.text(keys.ID, at);
    this.#object.close(start);
  }

  #message(): void {
    const textAt = this.#takeText(names.messageNames);
    if (textAt !== 0) {
      this.#object.text(keys.MESSAGE, textAt);
      return;
    }
    const { root } = this.#entry;
    for (const name of names.messageNames) {
      const at = root.values[name]!;
      if (at === 0 || this.#values.bytes[at] === NIL) continue;
      root.values[name] = 0;
      this.#object.valueAsText(keys.MESSAGE, at);
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
    this.#object.text(keys.STREAM, at);
  }

  #log(flags: JsonBuffer): void {
    const levelAt = this.#takeText(names.levelNames);
    const pathAt = this.#takeText(names.filePathNames);
    if (levelAt === 0 && pathAt === 0 && flags === keys.NO_FLAGS) return;
    const start = this.#object.open(keys.LOG);
    this.#object.text(keys.LEVEL, levelAt);
    if (pathAt !== 0) {
      const fileStart = this.#object.open(keys.FILE);
      this.#object.text(keys.PATH, pathAt);
      this.#object.close(fileStart);
    }
    this.#json.raw(flags);
    this.#object.close(start);
  }

  #container(): void {
    const entry = this.#entry;
    const start = this.#object.open(keys.CONTAINER);
    this.#object.text(keys.ID, this.#takeText(names.containerIdNames) || this.#takePodText(names.podContainerId));
    // Of a pod's container the name stands here too, so that one field finds every container.
    const nameAt =
      this.#takeText(names.containerNames) ||
      (entry.hasPod ? entry.pod.findText(this.#values.bytes, names.podContainer) : 0);
    if (nameAt !== 0) this.#nameWithoutSlash(nameAt);
    this.#object.named(keys.IMAGE, this.#takeText(names.imageNames) || this.#takePodText(names.podImage));
    this.#object.close(start);
  }

  #nameWithoutSlash(at: number): void {
    const { bytes, view } = this.#values;
    const start = textStart(bytes, at);
    const end = textEnd(bytes, at);
    this.#json.raw(keys.NAME);
    this.#json.text(bytes, view, start < end && bytes[start] === SLASH ? start + 1 : start, end);
    this.#json.byte(COMMA);
  }

  #kubernetes(): void {
    const start = this.#object.open(keys.KUBERNETES);
    this.#object.text(keys.NAMESPACE, this.#takePodText(names.podNamespace));
    const podStart = this.#object.open(keys.POD);
    this.#object.text(keys.NAME, this.#takePodText(names.podName));
    this.#object.text(keys.UID, this.#takePodText(names.podUid));
    this.#object.text(keys.IP, this.#takePodText(names.podIp));
    this.#object.close(podStart);
    this.#object.named(keys.CONTAINER, this.#takePodText(names.podContainer));
    this.#object.named(keys.NODE, this.#takePodText(names.podNode));
    this.#flattened(keys.LABELS, names.LABELS_NAME);
    this.#flattened(keys.ANNOTATIONS, names.ANNOTATIONS_NAME);
    this.#object.close(start);
  }

  /** All that no field took. What is ours gives way to a key of the sender's own that has the same name. */
  #attributes(isTimeUnfit: boolean): void {
    const entry = this.#entry;
    const start = this.#object.open(keys.ATTRIBUTES);
    if (isTimeUnfit && entry.root.values[names.TIME_NAME] === 0) this.#object.value(keys.TIME, entry.timeAt, 2);
    if (entry.metadataAt !== 0 && entry.root.values[names.METADATA_NAME] === 0)
      this.#object.value(keys.METADATA, entry.metadataAt, 2);
    this.#untaken(entry.root, keys.rootKeys, 2);
    this.#values.members(0, entry.rootKeysEnd, 2);
    if (entry.hasPod) {
      const podStart = this.#object.open(keys.KUBERNETES);
      this.#untaken(entry.pod, keys.podKeys, 3);
      this.#values.members(entry.rootKeysEnd, entry.keys.top, 3);
      this.#object.close(podStart);
    }
    this.#object.close(start);
  }

  /** Values under known names that no field could hold. */
  #untaken(table: FieldTable, fragments: readonly JsonBuffer[], level: number): void {
    for (let name = 0; name < fragments.length; name += 1) {
      const at = table.values[name]!;
      if (at === 0) continue;
      this.#object.value(fragments[name]!, at, level);
    }
  }

  /** A map of the pod's as a field of type `flattened`. */
  #flattened(key: JsonBuffer, name: number): void {
    const { pod } = this.#entry;
    const at = pod.values[name]!;
    if (at === 0 || !isMap(this.#values.bytes[at]!)) return;
    pod.values[name] = 0;
    this.#object.value(key, at, 1);
  }

  #takeText(candidates: readonly number[]): number {
    return this.#entry.root.takeText(this.#values.bytes, candidates);
  }

  #takePodText(candidates: readonly number[]): number {
    return this.#entry.hasPod ? this.#entry.pod.takeText(this.#values.bytes, candidates) : 0;
  }
}

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
