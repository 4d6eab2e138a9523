// Where values of one source were written in a JsonBuffer: what another document like it has elsewhere.

/** Values of one document, at most. */
const SPANS_MAX = 256;

export class Spans {
  count = 0;
  /** Of each: where it is in the source, and where it was written. */
  readonly values = new Int32Array(SPANS_MAX);
  readonly starts = new Int32Array(SPANS_MAX);
  readonly ends = new Int32Array(SPANS_MAX);
  /** Whether all are here, as they were written. */
  areWhole = true;

  clear(): void {
    this.count = 0;
    this.areWhole = true;
  }

  note(value: number, start: number, end: number): void {
    if (this.count === SPANS_MAX) {
      this.areWhole = false;
      return;
    }
    this.values[this.count] = value;
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count += 1;
  }
}
