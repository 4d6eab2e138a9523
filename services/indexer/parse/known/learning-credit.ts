// Whether more is to be learned of lines. To find out what can be known of a line costs more than to read it, so what
// is known must have paid before more is looked for: senders whose lines are all different are read as if nothing could
// be known of them, however many sources they name.

/** To learn a line costs as much as a few dozen are read for. */
const LEARNING_COST = 256;
/** Many sources, each with lines of its own, are learned while those that are known pay for it. */
const HIT_GAIN = 8;
const CREDIT_MAX = 8 * LEARNING_COST;

/** One for all sources: a new one has not paid yet. */
export class LearningCredit {
  #credit = CREDIT_MAX;

  hit(): void {
    if (this.#credit < CREDIT_MAX) this.#credit += HIT_GAIN;
  }

  /** A line is not known. Returns whether it is to be learned. */
  miss(): boolean {
    this.#credit += 1;
    if (this.#credit < LEARNING_COST) return false;
    this.#credit -= LEARNING_COST;
    return true;
  }
}
