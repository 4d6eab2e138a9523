// Streams of Loki's push request to entries, whichever encoding they come in.
//
//   line                  log (the document's message)
//   labels                under their names; of a pod (`namespace` and `pod`) below `kubernetes`
//   structured metadata   under its names
//
// A label that is called `log` goes under `labels.log`.

import type { EventTime } from '#shared/record/event-time.ts';
import { EntryBuilder, Pairs, keyOf } from '#shared/otlp/entry-builder.ts';
import { ResourceFields } from '#shared/otlp/resource-fields.ts';
import type { Label } from './labels.ts';

export type LokiStreams =
  | { readonly kind: 'entries'; readonly entries: Uint8Array; readonly count: number }
  | { readonly kind: 'malformed'; readonly why: string }
  | { readonly kind: 'too_large' };

export interface LokiOptions {
  /** Most bytes of the entries. */
  readonly bytesMax: number;
}

const LOG = keyOf('log');
/** What the agents for Kubernetes call a pod's names. */
const POD: ReadonlyMap<string, Buffer> = new Map([
  ['namespace', keyOf('namespace_name')],
  ['pod', keyOf('pod_name')],
  ['container', keyOf('container_name')],
  ['node', keyOf('host')],
  ['node_name', keyOf('host')],
]);

export class LokiEntries {
  readonly #entries: EntryBuilder;
  readonly #resource = new ResourceFields();
  /** What all entries of a stream have in common. */
  readonly #common = new Pairs();
  readonly #entry = new Pairs();

  /** @param sentBytes of the body, as its sender wrote it */
  constructor(bodyBytes: number, { bytesMax }: LokiOptions, sentBytes = bodyBytes) {
    this.#entries = new EntryBuilder(bodyBytes + 1024, bytesMax, bodyBytes, sentBytes);
  }

  startStream(labels: readonly Label[]): void {
    const names = new Set(labels.map(([name]) => name));
    const isPod = names.has('namespace') && names.has('pod');
    this.#resource.reset();
    this.#common.reset();
    for (const [name, value] of labels) {
      const podKey = isPod ? POD.get(name) : undefined;
      if (podKey) this.#resource.podKey(podKey).string(value);
      else this.#resource.key(keyText(name)).string(value);
    }
    this.#resource.writeTo(this.#common);
    this.#common.add(this.#resource.rest);
  }

  startEntry(): void {
    this.#entry.reset();
  }

  metadata(name: Buffer, value: Uint8Array): void {
    this.#entry.textKey(name.equals(LOG_TEXT) ? OTHER_LOG : name).stringBytes(value);
  }

  endEntry(time: EventTime, line: Uint8Array): void {
    this.#entry.key(LOG).stringBytes(line);
    this.#entries.add(time, this.#common, this.#entry);
  }

  done(): LokiStreams {
    const { bytes, count, tooLarge } = this.#entries;
    return tooLarge ? { kind: 'too_large' } : { kind: 'entries', entries: bytes, count };
  }
}

const LOG_TEXT = Buffer.from('log');
const OTHER_LOG = Buffer.from('labels.log');

function keyText(name: string): Buffer {
  return name === 'log' ? OTHER_LOG : Buffer.from(name);
}
