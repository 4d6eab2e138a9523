// Things in an order of which only the first is ever asked for: a binary heap. Places are known, so that one whose order changes is moved.
//
// Guarantees: made in linear time; `first` takes constant time, everything else that of the logarithm of how many there are.

export class Heap<T> {
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
    const last = this.#items.pop()!;
    this.#places.delete(item);
    if (last === item) return;
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
      const [left, right] = [2 * place + 1, 2 * place + 2];
      if (left >= this.#items.length) return;
      const isRight = right < this.#items.length && this.#isBefore(this.#items[right]!, this.#items[left]!);
      const below = isRight ? right : left;
      if (!this.#swapIfBefore(below, place)) return;
      place = below;
    }
  }

  #swapIfBefore(lower: number, upper: number): boolean {
    const [below, above] = [this.#items[lower]!, this.#items[upper]!];
    if (!this.#isBefore(below, above)) return false;
    this.#put(below, upper);
    this.#put(above, lower);
    return true;
  }
}
