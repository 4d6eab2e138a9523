// First in, first out. To remove from the front only moves an index: `Array.shift` would cost the length of a long
// array each time.
//
// Guarantees: `push`, `shift` and `first` take constant time, spread over many calls; what was removed is not kept
// alive; at most half of the memory is for what was removed, but for a few places.

/** With fewer places in front it is not worth a new array. */
const COMPACT_MIN = 32;

export class Fifo<T> {
  #items: (T | undefined)[] = [];
  /** Those before it are removed. */
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#head];
    if (this.length === 0) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.length === 0) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head >= COMPACT_MIN && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Removes the first that is the item, and all behind it. Returns those, in order. Linear. */
  removeFrom(item: T): T[] {
    const at = this.#items.indexOf(item, this.#head);
    return at < 0 ? [] : (this.#items.splice(at) as T[]);
  }

  /** Removes those that are not to stay. Linear. */
  keep(stays: (item: T) => boolean): void {
    this.#items = (this.#items.slice(this.#head) as T[]).filter(stays);
    this.#head = 0;
  }
}
