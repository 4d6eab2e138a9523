// What must be true of each document as soon as it is written: it has what was sent, whole or marked, and is there
// once.

import type { Trace } from '../events.ts';
import { type EventState, idsOf, listed } from './states.ts';

export class DocumentChecks {
  readonly #states: readonly EventState[];
  readonly #violate: (what: string) => void;

  constructor(states: readonly EventState[], violate: (what: string) => void) {
    this.#states = states;
    this.#violate = violate;
  }

  checkContent(numbers: readonly number[], message: string, isPartial: boolean, isText: boolean): void {
    const events = numbers.map((number) => this.#states[number]?.event);
    const [first] = events;
    if (!first) return;
    const expected = events.map((event) => event?.text ?? '').join(first.trace === null ? '' : '\n');
    if (isText ? !message.includes(expected) : message !== expected)
      this.#violate(`the document of event ${listed(numbers)} is not what was sent: ${message.slice(0, 100)}`);
    if (isText && !expected.includes('poison-'))
      this.#violate(`the document of event ${listed(numbers)} is kept as text, and nothing is wrong with it`);
    const { line, trace } = first;
    if (trace !== null) return this.#checkTrace(numbers, trace);
    if (line === null) {
      if (numbers.length > 1) this.#violate(`events ${listed(numbers)} are one document`);
      return;
    }
    const ordinals = events.map((event) => (event ? line.parts.indexOf(event) : -1));
    if (ordinals.some((ordinal, i) => ordinal <= (ordinals[i - 1] ?? -1)))
      this.#violate(`the parts ${listed(numbers)} of a line are out of order`);
    if (!isPartial && ordinals.length < line.parts.length)
      this.#violate(`the line of events ${listed(numbers)} is not whole, and not marked`);
  }

  /**
   * Whole or not, for a gap may end it: its lines in their order, without one that is missing between them. What was
   * sent again, by its sender or by a forwarder, may lie in the queue behind what came after it.
   */
  #checkTrace(numbers: readonly number[], { lines }: Trace): void {
    if (lines.some(({ chunk, number }) => chunk.sends > 1 || this.#states[number]?.isRepeated)) {
      const own = new Set(lines.map(({ number }) => number));
      if (numbers.some((number) => !own.delete(number)))
        this.#violate(`the lines ${listed(numbers)} are not of one trace, or one is there twice`);
      return;
    }
    const first = lines.findIndex((event) => event.number === numbers[0]);
    if (numbers.some((number, i) => lines[first + i]?.number !== number))
      this.#violate(`the lines ${listed(numbers)} of a trace are not in order, or some are missing`);
  }

  /**
   * Of a sender that repeats its ids, and of an event that was sent once, there is one name, and no name twice in an
   * index.
   */
  checkOnce(number: number): void {
    const state = this.#states[number];
    if (!state) return;
    const { chunk, trace } = state.event;
    // Lines that came twice can be of one trace, and of another (docs/guarantees.md).
    if (trace?.lines.some((line) => this.#states[line.number]?.isRepeated)) return;
    const whole = state.documents.filter(({ isPartial }) => !isPartial);
    const isOnce = chunk.sends === 1 || (chunk.hasId && chunk.addresses.size === 1);
    const isSecond = new Set(whole.map(({ id }) => id)).size > 1;
    if (isOnce && (isSecond || new Set(whole.map(({ backing }) => backing)).size < whole.length))
      this.#violate(`event ${number} of ${chunk.name} is in the store ${whole.length} times: ${idsOf(whole)}`);
  }
}
