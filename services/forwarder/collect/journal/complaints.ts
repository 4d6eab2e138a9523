// What journalctl says on stderr, such as files that it cannot read. It is passed on line by line, cut, a few lines a
// minute; however much it says, it never waits for us, and costs no memory.

import type { Clock } from '#shared/clock.ts';

const LINE_MAX = 300;
const PER_MINUTE = 10;
const MINUTE_MS = 60_000;

/** How many lines of all children are passed on. */
export class ComplaintRate {
  readonly #clock: Clock;
  readonly #complained: (line: string) => void;
  #told = 0;
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor({ clock, complained }: { clock: Clock; complained: (line: string) => void }) {
    this.#clock = clock;
    this.#complained = complained;
  }

  tell(line: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= MINUTE_MS) {
      this.#sinceMs = nowMs;
      this.#told = 0;
    }
    this.#told += 1;
    if (this.#told <= PER_MINUTE) this.#complained(line);
  }
}

/** Of one child. */
export class Complaints {
  readonly #rate: ComplaintRate;
  #line = '';
  /** Null where it said nothing. */
  last: string | null = null;

  constructor(rate: ComplaintRate) {
    this.#rate = rate;
  }

  take(bytes: Buffer): void {
    let from = 0;
    for (let feed = bytes.indexOf(0x0a); feed >= 0; feed = bytes.indexOf(0x0a, from)) {
      this.#add(bytes, from, feed);
      this.end();
      from = feed + 1;
    }
    this.#add(bytes, from, bytes.length);
  }

  /** What is there is a line. */
  end(): void {
    const line = printable(this.#line);
    this.#line = '';
    if (line === '') return;
    this.last = line;
    this.#rate.tell(line);
  }

  #add(bytes: Buffer, from: number, to: number): void {
    const room = LINE_MAX - this.#line.length;
    if (room > 0 && to > from) this.#line += bytes.toString('latin1', from, Math.min(to, from + room));
  }
}

/** It may quote what others wrote. */
function printable(text: string): string {
  return text.replaceAll(/[^ -~]+/g, ' ').trim();
}
