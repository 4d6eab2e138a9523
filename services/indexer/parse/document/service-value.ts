// The service that a document is of, and its version: as the record names it, or as the container's labels do (those of
// Compose and Swarm); else as a structured line says; else after the pod's recommended labels.

import { isMap } from '#shared/msgpack/extents.ts';
import * as keys from './document-keys.ts';
import type { DocumentParts } from './document-parts.ts';
import { FieldTable, KeyStack } from '../fields.ts';
import * as names from '../names.ts';
import type { ValueSource } from '../value-source.ts';

export class ServiceValue {
  readonly #parts: DocumentParts;
  readonly #podLabels = new FieldTable(names.podLabelNames);
  readonly #podLabelKeys = new KeyStack();

  constructor(parts: DocumentParts) {
    this.#parts = parts;
  }

  /** Writes `service`. `isTrusted`: whether the record may name it by SERVICE_ID. */
  write(hasLine: boolean, isTrusted: boolean): void {
    const { object, line, record } = this.#parts;
    const { root, bytes, labels, hasLabels } = record;
    const ownNames = isTrusted ? names.trustedServiceNames : names.serviceNames;
    const readsLine = hasLine && line.hasMap;
    const nameAt = root.takeText(bytes, ownNames) || (hasLabels ? labels.findText(bytes, names.serviceLabels) : 0);
    const lineNameAt = nameAt === 0 && readsLine ? line.table.takeText(line.bytes, ownNames) : 0;
    const versionAt = root.takeText(bytes, names.versionNames);
    const lineVersionAt = versionAt === 0 && readsLine ? line.table.takeText(line.bytes, names.versionNames) : 0;
    const hasAll = nameAt + lineNameAt > 0 && versionAt + lineVersionAt > 0;
    const hasPodLabels = !hasAll && record.hasPod && this.#readPodLabels();

    if (!hasPodLabels && !hasLabels && nameAt + lineNameAt + versionAt + lineVersionAt === 0) return;
    const start = object.open(keys.SERVICE);
    if (lineNameAt > 0) this.#text(keys.NAME, line, lineNameAt);
    else object.text(keys.NAME, nameAt || (hasPodLabels ? this.#podLabels.findText(bytes, names.appLabels) : 0));
    if (lineVersionAt > 0) this.#text(keys.VERSION, line, lineVersionAt);
    else object.text(keys.VERSION, versionAt || this.#labelledVersion(hasPodLabels));
    object.close(start);
  }

  #labelledVersion(hasPodLabels: boolean): number {
    const { bytes, labels, hasLabels } = this.#parts.record;
    const at = hasLabels ? labels.findText(bytes, names.versionLabels) : 0;
    return at || (hasPodLabels ? this.#podLabels.findText(bytes, names.appVersionLabels) : 0);
  }

  /** Whether the pod has a map of labels. */
  #readPodLabels(): boolean {
    const { pod, bytes } = this.#parts.record;
    for (const name of names.podLabels) {
      const at = pod.values[name]!;
      if (at !== 0 && isMap(bytes[at]!)) return this.#podLabels.index(bytes, at, bytes.length, this.#podLabelKeys) > 0;
    }
    return false;
  }

  #text(key: typeof keys.NAME, source: ValueSource, at: number): void {
    const { values, object, record } = this.#parts;
    values.use(source);
    object.text(key, at);
    values.use(record);
  }
}
