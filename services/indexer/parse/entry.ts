// Where the parts of an entry lie: [time, record], or [[time, metadata], record] of the Forward protocol v1.5.
// Positions only; the bytes stay where they are. Keys that mean something to us (docs/documents.md) have a table, the
// others are on a stack.
//
// Guarantees: after `find` has returned true, every position is that of a whole msgpack value inside the entry. Keys
// and values inside it nest no deeper than DEPTH_MAX.

import { containerChildren, containerHeaderSize, isArray, isMap, timeEnd } from '#shared/msgpack/extents.ts';
import { viewOf } from '../json/json-buffer.ts';
import { FieldTable, type InnerTable, KeyStack } from './fields.ts';
import type { ValueSource } from './value-source.ts';
import {
  FOUND_FROM,
  JOURNAL_PART_ID,
  KUBERNETES_NAME,
  PART_NAME,
  labelMaps,
  labelNames,
  podNames,
  recordNames,
} from './names.ts';

/** `kubernetes` as a key, packed. */
const POD_KEY = Buffer.from('\xaakubernetes', 'latin1');

export class Entry implements ValueSource {
  /** The record's keys. */
  readonly keys = new KeyStack();
  readonly root = new FieldTable(recordNames, FOUND_FROM);
  /** Keys of `kubernetes`. */
  readonly podKeys = new KeyStack();
  readonly pod = new FieldTable(podNames, 0);
  /** The same bytes, for members of `kubernetes`. */
  readonly podSource: ValueSource;
  /** Keys of a map of the container's labels. */
  readonly labels = new FieldTable(labelNames);
  readonly #labelKeys = new KeyStack();
  readonly #inner: InnerTable = { name: KUBERNETES_NAME, table: this.pod, others: this.podKeys };
  bytes: Uint8Array = new Uint8Array(0);
  view = viewOf(this.bytes);
  readonly base = 0;

  timeAt = 0;
  /** The metadata map if it is not empty, else 0. */
  metadataAt = 0;
  recordAt = 0;
  /** Whether `kubernetes` of the record, or of its metadata, is a map; if not, nothing of `pod` is valid. */
  hasPod = false;
  /** Whether that map is in the metadata: it may tell more from one line to the next. */
  isPodMetadata = false;
  /** Whether the container's labels are in a map; if not, nothing of `labels` is valid. */
  hasLabels = false;

  constructor() {
    this.podSource = new PodSource(this);
  }

  /** Whether the record has a `partial_message`, or what the journal has instead. */
  get isMarkedPart(): boolean {
    return this.root.values[PART_NAME] !== 0 || this.root.values[JOURNAL_PART_ID] !== 0;
  }

  /** Whether something of `kubernetes` was taken by no field. */
  get hasPodAttributes(): boolean {
    if (!this.hasPod) return false;
    for (let i = 0; i < this.podKeys.top; i += 1) if (this.podKeys.positions[i] !== 0) return true;
    return false;
  }

  get taken(): ReadonlySet<number> {
    return this.root.taken;
  }

  /** Looks at bytes[start, end). False where that is no entry. */
  find(bytes: Uint8Array, start: number, end: number): boolean {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = viewOf(bytes);
    }
    const timeAt = insidePair(bytes, start, end);
    if (timeAt < 0) return false;
    const recordAt = timeEnd(bytes, timeAt, end);
    if (recordAt < 0 || recordAt >= end || !isMap(bytes[recordAt]!)) return false;
    this.recordAt = recordAt;
    this.timeAt = timeAt;
    this.metadataAt = 0;
    if (isArray(bytes[timeAt]!)) this.#findMetadata(bytes, end);
    if (this.root.index(bytes, recordAt, end, this.keys, this.#inner) !== end) return false;
    const podAt = this.root.values[KUBERNETES_NAME]!;
    this.hasPod = podAt !== 0 && isMap(bytes[podAt]!);
    // What is left of it goes by its own keys.
    if (this.hasPod) this.root.take(KUBERNETES_NAME);
    this.isPodMetadata = !this.hasPod && this.metadataAt !== 0 && this.#findPodMetadata(end);
    if (this.isPodMetadata) this.hasPod = true;
    const labelsAt = this.#labelsAt();
    this.hasLabels = labelsAt !== 0 && this.labels.index(bytes, labelsAt, end, this.#labelKeys) > 0;
    return true;
  }

  /** Metadata that is a map `kubernetes` and nothing else is the collector's of pods: it counts as the record's own. */
  #findPodMetadata(end: number): boolean {
    const { bytes, metadataAt } = this;
    const keyAt = metadataAt + containerHeaderSize(bytes[metadataAt]!);
    if (containerChildren(bytes, metadataAt, bytes[metadataAt]!) !== 2 || !startsWith(bytes, keyAt, POD_KEY))
      return false;
    const podAt = keyAt + POD_KEY.length;
    if (!isMap(bytes[podAt]!) || this.pod.index(bytes, podAt, end, this.podKeys) < 0) return false;
    return true;
  }

  /** Where the first map of labels is; 0 for none. */
  #labelsAt(): number {
    for (let i = 0; i < labelMaps.length; i += 1) {
      const at = this.root.values[labelMaps[i]!]!;
      if (at !== 0 && isMap(this.bytes[at]!)) return at;
    }
    return 0;
  }

  /** The time's place holds [time, metadata]. */
  #findMetadata(bytes: Uint8Array, end: number): void {
    this.timeAt = insidePair(bytes, this.timeAt, end);
    const metadataAt = timeEnd(bytes, this.timeAt, end);
    if (containerChildren(bytes, metadataAt, bytes[metadataAt]!) > 0) this.metadataAt = metadataAt;
  }
}

class PodSource implements ValueSource {
  readonly #entry: Entry;
  readonly base = 0;

  constructor(entry: Entry) {
    this.#entry = entry;
  }

  get bytes(): Uint8Array {
    return this.#entry.bytes;
  }

  get view(): DataView {
    return this.#entry.view;
  }

  get taken(): ReadonlySet<number> {
    return this.#entry.pod.taken;
  }
}

function startsWith(bytes: Uint8Array, at: number, start: Uint8Array): boolean {
  for (let i = 0; i < start.length; i += 1) if (bytes[at + i] !== start[i]) return false;
  return true;
}

/** Where the first of an array of two begins, or -1 where there is none. */
function insidePair(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return -1;
  const type = bytes[start]!;
  if (type === 0x92) return start + 1;
  if (!isArray(type) || start + containerHeaderSize(type) > end) return -1;
  return containerChildren(bytes, start, type) === 2 ? start + containerHeaderSize(type) : -1;
}
