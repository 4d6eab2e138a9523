// Local times of a zone to UTC, for senders that write times without a zone (RFC 3164). A look-up costs some ten
// microseconds, messages come by the thousand within a minute: the offset of the quarter of an hour that was asked for
// last is remembered. Offsets change at quarters of an hour only.

const QUARTER = 900;
const UTC = 'UTC';

export class TimeZone {
  readonly #format: Intl.DateTimeFormat | null;
  #quarter = NaN;
  #offset = 0;

  /** `name`: of the IANA database, or UTC. Throws a RangeError for a name that is unknown. */
  constructor(name: string) {
    this.#format =
      name === UTC
        ? null
        : new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset', year: 'numeric' });
  }

  /**
   * The instant (seconds since the epoch) at which clocks of the zone show this; of two the earlier, and of none one
   * near by.
   */
  utcSeconds(localSeconds: number): number {
    if (this.#format === null) return localSeconds;
    const quarter = Math.floor(localSeconds / QUARTER);
    if (quarter !== this.#quarter) {
      // Asked a day before: where clocks are set back, the offset of before the change gives the earlier instant.
      const before = this.#offsetAt(localSeconds - 86_400);
      const after = this.#offsetAt(localSeconds + 86_400);
      const fits = this.#offsetAt(localSeconds - before) === before;
      this.#offset = fits ? before : after;
      this.#quarter = quarter;
    }
    return localSeconds - this.#offset;
  }

  #offsetAt(utcSeconds: number): number {
    if (this.#format === null) return 0;
    const text = this.#format.format(utcSeconds * 1000);
    const match = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?/.exec(text);
    if (!match?.[1]) return 0;
    const seconds = (Number(match[2]) * 60 + Number(match[3])) * 60 + Number(match[4] ?? 0);
    return match[1] === '-' ? -seconds : seconds;
  }
}
