// Where an event came from: its container, its pod, its cluster. Gathered from the names of the record, then from the
// map `kubernetes`, the container's labels, a name of the kubelet's, and the tag; the first that tells a field counts.
//
//   k8s_<container>_<pod>_<namespace>_<uid>_<number>
//
// What a line says of itself counts for none of them: anybody can write it. A value that a field took from a key of its
// own is among the attributes no more; labels stay whole.

import { isMap } from '#shared/msgpack/extents.ts';
import { type OriginPath, originPaths } from '#shared/store/origin-fields.ts';
import { type JsonBuffer, fragment } from '../../json/json-buffer.ts';
import * as keys from './document-keys.ts';
import type { Entry } from '../entry.ts';
import { type FieldTable, KeyStack, isText, textEnd, textStart } from '../fields.ts';
import type { JsonTranscoder } from '../json-value.ts';
import { LabelMap } from './label-map.ts';
import * as names from '../names.ts';
import { type Member, bitOf, objectTree } from './object-tree.ts';
import type { ObjectWriter } from './object-writer.ts';
import { type TagOrigin, tagOrigin } from '../tag-origin.ts';
import { UNITS_ATTRIBUTE, UNITS_KEYWORD } from '../text-length.ts';

const SLASH = 0x2f;
const COMMA = 0x2c;
const UNDERSCORE = 0x5f;
const KUBELET_PREFIX = Buffer.from('k8s_');
const CONTAINER_NAME = fieldNumber('container.name');
const POD_CONTAINER = fieldNumber('kubernetes.container.name');
/** In the order of the kubelet's pieces; the last one, how often it was tried, tells nothing. */
const KUBELET_FIELDS = (
  ['kubernetes.container.name', 'kubernetes.pod.name', 'kubernetes.namespace', 'kubernetes.pod.uid'] as const
).map(fieldNumber);
const LABELLED = names.labelsOfOrigin.flatMap((labels, field) => (labels.length > 0 ? [field] : []));
const branches = objectTree(originPaths);
const container = branchNamed('container');
const kubernetes = branchNamed('kubernetes');
const orchestrator = branchNamed('orchestrator');
const CONTAINER_LABELS = [names.CONTAINER_LABELS];

function branchNamed(name: string): Member {
  return branches.get(name) ?? { key: fragment(''), field: -1, members: [], bits: 0, highBits: 0 };
}

function fieldNumber(path: OriginPath): number {
  return originPaths.indexOf(path);
}

export class OriginValues {
  readonly #entry: Entry;
  readonly #values: JsonTranscoder;
  readonly #object: ObjectWriter;
  readonly #labels: LabelMap;
  /** By a field's number: where its text begins and ends in the record's bytes; an end of 0 is none. */
  readonly #starts = new Int32Array(originPaths.length);
  readonly #ends = new Int32Array(originPaths.length);
  /** By a field's number: the rank of the name that was chosen. */
  readonly #ranks = new Int16Array(originPaths.length);
  readonly #chosen = new KeyStack();
  /** Of the fields that were chosen, and of those that the tag tells. */
  #bits = 0;
  #toldBits = 0;
  /** By a field's number: `"…",` as the tag tells it. */
  #told: readonly (JsonBuffer | null)[] = [];
  #tag = '';

  constructor(entry: Entry, values: JsonTranscoder, object: ObjectWriter) {
    this.#entry = entry;
    this.#values = values;
    this.#object = object;
    this.#labels = new LabelMap(values);
  }

  /** Of the entries that follow. */
  startBatch(tag: string): void {
    if (tag === this.#tag) return;
    this.#tag = tag;
    const told: TagOrigin = tagOrigin(tag);
    this.#told = originPaths.map((path) => {
      const text = told[path];
      return text === undefined ? null : fragment(`${JSON.stringify(text)},`);
    });
    this.#toldBits = this.#told.reduce((bits, text, field) => (text === null ? bits : bits | bitOf(field)), 0);
  }

  gather(): void {
    for (let i = 0; i < this.#chosen.top; i += 1) this.#ends[this.#chosen.positions[i]!] = 0;
    this.#chosen.top = 0;
    this.#bits = this.#toldBits;
    const { root, pod, hasPod, hasLabels } = this.#entry;
    if (root.found.top > 0) this.#offer(root, names.originOfName, names.originRankOfName);
    if (hasPod) this.#offer(pod, names.originOfPodName, names.originRankOfPodName);
    if (hasLabels) this.#offerLabels();
    if (this.#ends[CONTAINER_NAME] !== 0) this.#splitKubeletName();
    // Of a pod's container the name stands at `container` too, so that one field finds every container.
    else if ((this.#bits & bitOf(POD_CONTAINER)) !== 0) this.#bits |= bitOf(CONTAINER_NAME);
  }

  /** Writes `container`, `kubernetes` and `orchestrator`. */
  write(): void {
    const { pod, root, hasPod, hasLabels } = this.#entry;
    if ((this.#bits & container.bits) !== 0 || hasLabels) {
      const start = this.#object.open(container.key);
      for (const member of container.members) this.#member(member);
      if (hasLabels) this.#map(keys.LABELS, root, CONTAINER_LABELS);
      this.#object.close(start);
    }
    if ((this.#bits & kubernetes.bits) !== 0 || hasPod) {
      const start = this.#object.open(kubernetes.key);
      for (const member of kubernetes.members) this.#member(member);
      if (hasPod) this.#podMaps(pod);
      this.#object.close(start);
    }
    this.#member(orchestrator);
  }

  #podMaps(pod: FieldTable): void {
    this.#map(keys.LABELS, pod, names.podLabels);
    this.#map(keys.ANNOTATIONS, pod, names.podAnnotations);
    this.#map(keys.NAMESPACE_LABELS, pod, names.namespaceLabels);
  }

  /** Chooses for each field the best of the names that were found in the table, and takes it. */
  #offer(table: FieldTable, fieldOf: readonly number[], rankOf: readonly number[]): void {
    const { bytes } = this.#entry;
    const first = this.#chosen.top;
    for (let i = 0; i < table.found.top; i += 1) {
      const name = table.found.positions[i]!;
      const field = fieldOf[name]!;
      const at = table.values[name]!;
      if (field < 0 || at === 0 || !isText(bytes[at]!)) continue;
      if (this.#ends[field] === 0) this.#chosen.push(field);
      else if (this.#chosen.indexOf(field) < first || rankOf[name]! > rankOf[this.#ranks[field]!]!) continue;
      this.#set(field, textStart(bytes, at), textEnd(bytes, at));
      this.#ranks[field] = name;
    }
    for (let i = first; i < this.#chosen.top; i += 1) table.take(this.#ranks[this.#chosen.positions[i]!]!);
  }

  /** Labels stay where they are; a field that nothing else told is told by them too. */
  #offerLabels(): void {
    const { labels, bytes } = this.#entry;
    for (const field of LABELLED) {
      const at = this.#ends[field] === 0 ? labels.findText(bytes, names.labelsOfOrigin[field]!) : 0;
      if (at === 0) continue;
      this.#chosen.push(field);
      this.#set(field, textStart(bytes, at), textEnd(bytes, at));
    }
  }

  /** Of five pieces and a number, none of them empty. */
  #splitKubeletName(): void {
    const { bytes } = this.#entry;
    const start = this.#nameStart(CONTAINER_NAME);
    const end = this.#ends[CONTAINER_NAME]!;
    for (let i = 0; i < KUBELET_PREFIX.length; i += 1) if (bytes[start + i] !== KUBELET_PREFIX[i]) return;
    const ends = [start + KUBELET_PREFIX.length - 1];
    for (let at = start + KUBELET_PREFIX.length; at < end; at += 1) {
      if (bytes[at] !== UNDERSCORE) continue;
      if (at === ends.at(-1)! + 1 || ends.length > KUBELET_FIELDS.length) return;
      ends.push(at);
    }
    if (ends.length !== KUBELET_FIELDS.length + 1 || ends.at(-1)! + 1 >= end) return;
    for (const [i, field] of KUBELET_FIELDS.entries()) {
      if (this.#ends[field] !== 0) continue;
      this.#chosen.push(field);
      this.#set(field, ends[i]! + 1, ends[i + 1]!);
    }
  }

  #set(field: number, start: number, end: number): void {
    this.#bits |= bitOf(field);
    this.#starts[field] = start;
    this.#ends[field] = end;
  }

  #member(member: Member): void {
    if ((this.#bits & member.bits) === 0) return;
    if (member.field >= 0) return this.#field(member.key, member.field);
    const start = this.#object.open(member.key);
    for (const inner of member.members) this.#member(inner);
    this.#object.close(start);
  }

  /** Of a field whose bit is set: only `container.name` may have it without a text of its own. */
  #field(key: JsonBuffer, field: number): void {
    const { json } = this.#values;
    if (this.#ends[field] !== 0) {
      json.raw(key);
      this.#values.textBetween(
        field === CONTAINER_NAME ? this.#nameStart(field) : this.#starts[field]!,
        this.#ends[field]!,
      );
      json.byte(COMMA);
      return;
    }
    const told = this.#told[field] ?? null;
    if (told === null) return this.#field(key, POD_CONTAINER);
    json.raw(key);
    json.raw(told);
  }

  /** Of a container's name, without the slash that Docker begins it with. */
  #nameStart(field: number): number {
    const start = this.#starts[field]!;
    return start < this.#ends[field]! && this.#entry.bytes[start] === SLASH ? start + 1 : start;
  }

  /** The first of these that is a map, with names of labels that are safe. */
  #map(key: JsonBuffer, table: FieldTable, candidates: readonly number[]): void {
    const { bytes } = this.#entry;
    for (const name of candidates) {
      const at = table.values[name]!;
      if (at === 0 || !isMap(bytes[at]!)) continue;
      table.take(name);
      this.#values.textUnitsMax = UNITS_ATTRIBUTE;
      this.#labels.write(key, bytes, at);
      this.#values.textUnitsMax = UNITS_KEYWORD;
      return;
    }
  }
}
