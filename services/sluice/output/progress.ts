// How far a command is, on standard error: one line that changes on a terminal, a line now and then elsewhere.

import type { Clock } from '#shared/clock.ts';
import { harmless } from '#shared/harmless.ts';
import { messageLine } from './message-line.ts';
import type { OutputStream } from './output.ts';

const TERMINAL_MS = 500;
const LOG_MS = 10_000;
const CLEAR_LINE = '\r\u001b[K';

interface Shown {
  readonly stderr: OutputStream;
  readonly clock: Clock;
}

export class Progress implements Disposable {
  readonly #clock: Clock;
  readonly #stream: OutputStream;
  readonly #text: () => string;
  readonly #isTerminal: boolean;
  #timer: Disposable | null = null;

  /** `text`: how far it is now, in a line. */
  constructor({ stderr: stream, clock }: Shown, text: () => string) {
    this.#clock = clock;
    this.#stream = stream;
    this.#text = text;
    this.#isTerminal = stream.isTTY === true;
    this.#plan();
  }

  /** Something else to say in between. */
  warn(line: string): void {
    this.#stream.write(`${this.#isTerminal ? CLEAR_LINE : ''}${messageLine(line)}`);
  }

  /** Leaves the last state of the line away: what comes next says it all. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    if (this.#isTerminal) this.#stream.write(CLEAR_LINE);
  }

  #plan(): void {
    this.#timer = this.#clock.timer(this.#isTerminal ? TERMINAL_MS : LOG_MS, () => {
      if (this.#isTerminal) this.#stream.write(CLEAR_LINE + harmless(this.#text()));
      else this.warn(this.#text());
      this.#plan();
    });
  }
}
