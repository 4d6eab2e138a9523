// Events of the queue as JSON text, for commands that print the queue: the entry, msgpack made JSON, and the event's
// names.

import { JsonBuffer } from '#indexer/json/json-buffer.ts';
import { JsonTranscoder } from '#indexer/parse/json-value.ts';
import { timeEnd } from '#shared/msgpack/extents.ts';
import { documentId } from '#shared/record/identity.ts';
import type { Batch } from '#shared/record/record.ts';

export class EntryJson {
  readonly #json = new JsonBuffer();
  readonly #transcoder = new JsonTranscoder(this.#json);

  /** `"time":…,"record":…` of an entry `[time, record]`; `"bytes":"<base64>"` of what is none. */
  members(entry: Uint8Array): string {
    const timeStart = entry[0] === 0x92 ? 1 : entry[0] === 0xdc ? 3 : 5;
    const recordStart = timeEnd(entry, timeStart, entry.length);
    if (recordStart < 0) return `"bytes":"${Buffer.from(entry).toString('base64')}"`;
    return `"time":${this.#value(entry, timeStart)},"record":${this.#value(entry, recordStart)}`;
  }

  #value(bytes: Uint8Array, at: number): string {
    this.#json.at = 0;
    this.#transcoder.source(bytes);
    this.#transcoder.value(at, 0);
    if (this.#transcoder.rewrites()) {
      this.#json.at = 0;
      this.#transcoder.value(at, 0);
    }
    return this.#json.bytes.toString('utf8', 0, this.#json.at);
  }
}

/** What names the event `index` of a batch, and where it came in. */
export function eventNames(batch: Batch, index: number) {
  const { tag, input, tenant, sender, receivedMs, seq, chain, names } = batch;
  return {
    // A chained name is known only together with the entries.
    id: chain !== null && names === undefined ? null : documentId(batch, index),
    tag,
    input,
    tenant,
    sender,
    received: new Date(receivedMs).toISOString(),
    sequence: seq + index,
  };
}
