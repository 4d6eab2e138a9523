// What happened, line by line: hashed always, so that two runs of a seed can be compared; printed when asked for.
// Random names (of batches whose sender gave none) never come in here.

import type { SimTime } from './machine/time.ts';

export class Trace {
  readonly #time: SimTime;
  readonly #print: ((line: string) => void) | null;
  #low = 0x811c9dc5;
  #high = 0x01000193;
  lines = 0;

  constructor(time: SimTime, print: ((line: string) => void) | null) {
    this.#time = time;
    this.#print = print;
  }

  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0');
  }

  note(who: string, what: string): void {
    this.lines++;
    this.#mix(this.#time.nowMs * 1000);
    for (let i = 0; i < who.length; i++) this.#mix(who.charCodeAt(i));
    for (let i = 0; i < what.length; i++) this.#mix(what.charCodeAt(i));
    this.#print?.(`${this.#time.nowMs.toFixed(1).padStart(9)}  ${who.padEnd(12)} ${what}`);
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul(this.#high ^ (this.#low >>> 7) ^ value, 0x85ebca6b);
  }
}
