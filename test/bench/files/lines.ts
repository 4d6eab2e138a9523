// The lines of the bench of files. Each tells which one it is, so that whoever finds its text in a record knows what
// arrived, whatever form a collector gave the record:
//
//   2026-01-02T03:04:05.678Z #0123:00004567 INFO checkout-7 request=… GET /api/v2/orders/… 200 in 21 ms …
//   when it was written      file number

const FILE_DIGITS = 4;
const NUMBER_DIGITS = 8;
const TIME_LENGTH = 24;
const HASH = 0x23;
const COLON = 0x3a;
const SPACE = 0x20;
const NUMBER_AT = 1 + FILE_DIGITS + 1;
const MARK_LENGTH = NUMBER_AT + NUMBER_DIGITS + 1;

const LEVELS = ['INFO', 'INFO', 'INFO', 'DEBUG', 'WARN'];
const VERBS = ['GET', 'GET', 'POST', 'PUT'];
const AGENT = 'agent="Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/144.0"';

/** Numbers that look like chance, the same in each run. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed + 1) * 0x9e3779b1;
  }

  /** 32 bits. */
  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }
}

/** Some 250 bytes with its end; `time` as `toISOString` gives it. */
export function lineOf(time: string, file: number, number: number, chance: Chance): string {
  const [a, b, c] = [chance.next(), chance.next(), chance.next()];
  const mark = `#${String(file).padStart(FILE_DIGITS, '0')}:${String(number).padStart(NUMBER_DIGITS, '0')}`;
  const request = a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0');
  const what = `${VERBS[a & 3]} /api/v2/orders/${b % 1_000_000}/items/${c % 1000}`;
  const how = `${c % 50 === 0 ? 500 : 200} in ${c % 977} ms, ${b % 65_536} bytes, upstream 10.0.${c & 255}.${a & 255}`;
  const level = LEVELS[c % LEVELS.length];
  const who = `checkout-${file % 17} request=${request} user=${a % 99_991}`;
  return `${time} ${mark} ${level} ${who} ${what} ${how} ${AGENT}\n`;
}

/** Tells of each line that lies in the bytes of records, by where its mark begins. */
export function findLines(bytes: Buffer, found: (file: number, number: number, at: number) => void): void {
  for (let at = bytes.indexOf(HASH); at >= 0; at = bytes.indexOf(HASH, at + 1)) {
    const numberAt = at + NUMBER_AT;
    if (bytes[numberAt - 1] !== COLON || bytes[at + MARK_LENGTH - 1] !== SPACE) continue;
    const file = digits(bytes, at + 1, FILE_DIGITS);
    const number = digits(bytes, numberAt, NUMBER_DIGITS);
    if (file >= 0 && number >= 0) found(file, number, at);
  }
}

/** When the line was written whose mark begins there; ms since the epoch. */
export function writtenMs(bytes: Buffer, at: number): number {
  return Date.parse(bytes.toString('latin1', at - 1 - TIME_LENGTH, at - 1));
}

/** Negative: others are among them. */
function digits(bytes: Buffer, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i += 1) {
    const digit = (bytes[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
