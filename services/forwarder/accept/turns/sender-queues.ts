// Those who wait, in a queue for each sender, and who of all is next.
//
//   a  ▪▪▪▪▪▪      next:  a b c  a b  a b  a a a
//   b  ▪▪▪
//   c  ▪
//
// Guarantees: the sender is next whose last turn is longest ago; one that is not remembered counts as if it had had a
// turn when it came; of one sender whoever came first is next. So nobody is passed by twice by the same sender, nor at
// all by newcomers. Whoever leaves is never next, and is not kept for long. Each call takes the logarithm of how many
// senders wait, spread over many calls.

import { Fifo } from '#shared/collections/fifo.ts';
import { Heap } from '#shared/collections/heap.ts';

/** One who waits, for `delete`. */
interface Place<T> {
  readonly item: T;
  readonly queue: Queue<T>;
  /** Number of the last turn of its sender, or of anybody where that is not remembered, when it came. */
  readonly since: number;
  /** Among all who came. */
  readonly number: number;
  isGone: boolean;
}

/** Of one sender; there is somebody in it. */
class Queue<T> {
  readonly sender: string;
  /** The first is not gone. */
  readonly places = new Fifo<Place<T>>();
  /** Of those, who are not gone. */
  length = 0;
  /** Number of its sender's last turn while somebody waits. */
  turn = 0;

  constructor(sender: string) {
    this.sender = sender;
  }

  isBefore(other: Queue<T>): boolean {
    const [mine, its] = [this.places.first, other.places.first];
    if (!mine || !its) return false;
    const [turn, otherTurn] = [Math.max(mine.since, this.turn), Math.max(its.since, other.turn)];
    return turn === otherTurn ? mine.number < its.number : turn < otherTurn;
  }
}

export class SenderQueues<T> {
  readonly #rememberedMax: number;
  readonly #queues = new Map<string, Queue<T>>();
  readonly #order = new Heap<Queue<T>>((a, b) => a.isBefore(b));
  /** Sender → number of its last turn; who had one last is last. */
  readonly #turns = new Map<string, number>();
  #turn = 0;
  #came = 0;
  #length = 0;

  /** `rememberedMax`: senders whose last turn is remembered though nobody of them waits. */
  constructor(rememberedMax = 0) {
    this.#rememberedMax = rememberedMax;
  }

  get length(): number {
    return this.#length;
  }

  push(sender: string, item: T): Place<T> {
    const known = this.#queues.get(sender);
    const queue = known ?? new Queue<T>(sender);
    this.#came += 1;
    const since = this.#turns.get(sender) ?? this.#turn;
    const place = { item, queue, since, number: this.#came, isGone: false };
    queue.places.push(place);
    queue.length += 1;
    this.#length += 1;
    if (known) return place;
    this.#queues.set(sender, queue);
    this.#order.update(queue);
    return place;
  }

  /** Who is next: removed, and its sender has had a turn. Undefined where nobody waits. */
  shift(): T | undefined {
    const queue = this.#order.first;
    const place = queue?.places.first;
    if (!queue || !place) return undefined;
    this.#remember(queue.sender);
    queue.turn = this.#turn;
    this.delete(place);
    return place.item;
  }

  /** The sender has had a turn for which nobody had to wait. */
  hadTurn(sender: string): void {
    this.#remember(sender);
    const queue = this.#queues.get(sender);
    if (!queue) return;
    queue.turn = this.#turn;
    this.#order.update(queue);
  }

  /** It waits no more; nothing where it does not. */
  delete(place: Place<T>): void {
    if (place.isGone) return;
    place.isGone = true;
    const { queue } = place;
    queue.length -= 1;
    this.#length -= 1;
    if (queue.length === 0) {
      this.#queues.delete(queue.sender);
      this.#order.delete(queue);
      return;
    }
    const { places } = queue;
    while (places.first?.isGone) places.shift();
    // To find one behind the first would cost as much as all of them: thousands may leave at once.
    if (places.length > 2 * queue.length) places.keep(({ isGone }) => !isGone);
    this.#order.update(queue);
  }

  #remember(sender: string): void {
    this.#turn += 1;
    if (this.#rememberedMax === 0) return;
    this.#turns.delete(sender);
    this.#turns.set(sender, this.#turn);
    const [oldest] = this.#turns.keys();
    if (this.#turns.size > this.#rememberedMax && oldest !== undefined) this.#turns.delete(oldest);
  }
}
