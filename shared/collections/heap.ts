// Things in an order of which only the first is ever asked for: a binary heap. Places are known, so that one whose
// order changes is moved.
//
// Guarantees: made in linear time; `first` takes constant time, everything else that of the logarithm of how many
// there are.

export class Heap<T extends object> {
  readonly #isBefore: (a: T, b: T) => boolean;
  readonly #items: T[] = [];
  readonly #places = new Map<T, number>();

  constructor(isBefore: (a: T, b: T) => boolean, items: Iterable<T> = []) {
    this.#isBefore = isBefore;
    for (const item of items) this.#put(item, this.#items.length);
    for (let place = (this.#items.length >> 1) - 1; place >= 0; place -= 1) this.#sink(place);
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  /** Adds it, or moves it to where it belongs now. */
  update(item: T): void {
    const place = this.#places.get(item) ?? this.#items.length;
    this.#put(item, place);
    this.#sink(this.#rise(place));
  }

  delete(item: T): void {
    const place = this.#places.get(item);
    if (place === undefined) return;
    const last = this.#items.pop();
    this.#places.delete(item);
    if (last === undefined || last === item) return;
    this.#put(last, place);
    this.#sink(this.#rise(place));
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    this.#places.set(item, place);
  }

  #rise(from: number): number {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (!this.#swapIfBefore(place, above)) break;
      place = above;
    }
    return place;
  }

  #sink(from: number): void {
    for (let place = from; ;) {
      const left = 2 * place + 1;
      const below = this.#comesBefore(left + 1, left) ? left + 1 : left;
      if (!this.#swapIfBefore(below, place)) return;
      place = below;
    }
  }

  /** Whether both are there, and in that order. */
  #comesBefore(one: number, other: number): boolean {
    const [a, b] = [this.#items[one], this.#items[other]];
    return a !== undefined && b !== undefined && this.#isBefore(a, b);
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    const [below, above] = [this.#items[lower], this.#items[upper]];
    if (below === undefined || above === undefined || !this.#isBefore(below, above)) return false;
    this.#put(below, upper);
    this.#put(above, lower);
    return true;
  }
}
