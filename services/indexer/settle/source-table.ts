// Which sources were heard of late: what has the same tenant, tag and sender. A source that was heard in ten minutes or
// more, and then was not for ten minutes, is silent; after an hour it is forgotten.
//
// Guarantees: bounded, whatever senders name: a row of a fixed table each, found by a hash. Two sources that share a
// row are one, which hides that one of them is silent, and nothing else.

import type { Batch } from '#shared/record/record.ts';

const ROWS = 65_536;
/** In minutes. */
const KNOWN_AFTER = 10;
const SILENT_AFTER = 10;
const FORGOTTEN_AFTER = 60;

export interface SourceCounts {
  readonly active: number;
  readonly silent: number;
}

export class SourceTable {
  /** The minute in which it was heard last; 0: never. */
  readonly #heard = new Uint32Array(ROWS);
  /** In how many minutes it was heard since it is known. */
  readonly #minutes = new Uint8Array(ROWS);
  readonly #partitions = new Int32Array(ROWS);

  /** `minute`: since any time before, from 1 on. */
  heard(partition: number, { tenant, tag, sender }: Pick<Batch, 'tenant' | 'tag' | 'sender'>, minute: number): void {
    const row = mix(mix(mix(0x811c9dc5, tenant ?? ''), tag), sender) & (ROWS - 1);
    const last = this.#heard[row] ?? 0;
    this.#partitions[row] = partition;
    if (last === minute) return;
    this.#heard[row] = minute;
    const minutes = minute - last > FORGOTTEN_AFTER ? 0 : (this.#minutes[row] ?? 0);
    this.#minutes[row] = Math.min(255, minutes + 1);
  }

  /** Of partitions that are read here: those of others are heard elsewhere, and forgotten. */
  count(minute: number, isOwned: (partition: number) => boolean): SourceCounts {
    let active = 0;
    let silent = 0;
    for (let row = 0; row < ROWS; row += 1) {
      const last = this.#heard[row] ?? 0;
      if (last === 0) continue;
      const age = minute - last;
      if (age > FORGOTTEN_AFTER || !isOwned(this.#partitions[row] ?? 0)) {
        this.#heard[row] = 0;
        this.#minutes[row] = 0;
      } else if ((this.#minutes[row] ?? 0) >= KNOWN_AFTER) {
        if (age >= SILENT_AFTER) silent += 1;
        else active += 1;
      }
    }
    return { active, silent };
  }
}

function mix(hash: number, text: string): number {
  let mixed = hash;
  for (let i = 0; i < text.length; i += 1) mixed = Math.imul(mixed ^ text.charCodeAt(i), 0x01000193);
  mixed = Math.imul(mixed ^ 0xffff, 0x01000193);
  return mixed ^ (mixed >>> 15);
}
