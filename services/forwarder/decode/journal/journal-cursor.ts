// What the cursor of an entry says, which names it among all entries of all journals:
//
//   s=6f4a…;i=2a;b=90d1…;m=1c2b;t=60a24181e43e8;x=3fd2…
//   │       │   │       │      │               └ hash of its fields
//   │       │   └ boot  └ time since then     └ microseconds since the epoch, hexadecimal
//   │       └ its number among those of its source, without gaps, hexadecimal
//   └ source of numbers: the journal of a machine and namespace, mostly for as long as it is there
//
// So a gap between the numbers of a source is entries that nobody has read: rotation took them, or they are damaged.
// Pure, bounded.

const FORM = /^s=([\da-f]{32});i=([\da-f]{1,16});b=[\da-f]{32};m=[\da-f]{1,16};t=([\da-f]{1,16});x=[\da-f]{1,16}$/;
const PRINTABLE = /^[!-~]{1,512}$/;
/** A journal that is sent here has others; one machine has few. */
const SOURCES_MAX = 256;

/** Whether it may be a cursor; those of a later systemd may have another form. */
export function isCursor(text: string): boolean {
  return PRINTABLE.test(text) && !text.startsWith('-');
}

/** When the entry was written, microseconds since the epoch; null where the cursor has another form. */
export function writtenUs(cursor: string): number | null {
  const hex = FORM.exec(cursor)?.[3];
  return hex === undefined ? null : Number.parseInt(hex, 16);
}

export class EntryNumbers {
  /** The highest of each source, the latest seen last. */
  readonly #highest = new Map<string, bigint>();

  /** How many entries of its source are missing between those that came before and this one. */
  take(cursor: string): number {
    const [, source, hex] = FORM.exec(cursor) ?? [];
    if (source === undefined || hex === undefined) return 0;
    const number = BigInt(`0x${hex}`);
    const before = this.#highest.get(source);
    if (before !== undefined && number <= before) return 0;
    this.#highest.delete(source);
    this.#highest.set(source, number);
    for (const oldest of this.#highest.keys()) {
      if (this.#highest.size <= SOURCES_MAX) break;
      this.#highest.delete(oldest);
    }
    return before === undefined ? 0 : Number(number - before - 1n);
  }
}
