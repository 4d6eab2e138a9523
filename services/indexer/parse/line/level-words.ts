// Levels, whatever their source wrote, as one of nine words and as a number to compare by (docs/documents.md). The
// number is OpenTelemetry's severity number for that word: larger is worse.
//
// https://opentelemetry.io/docs/specs/otel/logs/data-model/#appendix-b-severitynumber-example-mappings

import { isText, textEnd, textStart } from '../fields.ts';

/** By a level's number; 0 is none. */
export const levelWords = [
  '', 'trace', 'debug', 'info', 'notice', 'warn', 'error', 'critical', 'alert', 'emergency',
] as const; // prettier-ignore
export const levelSeverities = [0, 1, 5, 9, 10, 13, 17, 18, 19, 21] as const;

const TRACE = 1;
const DEBUG = 2;
const INFO = 3;
const NOTICE = 4;
const WARN = 5;
const ERROR = 6;
const CRITICAL = 7;
const ALERT = 8;
const EMERGENCY = 9;

const written: readonly (readonly [level: number, words: string])[] = [
  [TRACE, 'trace trac trc trce finest finer silly t'],
  [DEBUG, 'debug debu dbg dbug fine config verbose vrb debug1 debug2 debug3 debug4 debug5 d'],
  [INFO, 'info inf information informational log http success i'],
  [NOTICE, 'notice note deprecation n'],
  [WARN, 'warn warning wrn w'],
  [ERROR, 'error erro err eror fail failure severe e'],
  [CRITICAL, 'critical crit crt fatal fata ftl panic pani pnc dpanic c f'],
  [ALERT, 'alert'],
  [EMERGENCY, 'emergency emerg'],
];
/** Of syslog, by its number. */
const SYSLOG = [EMERGENCY, ALERT, CRITICAL, ERROR, WARN, NOTICE, INFO, DEBUG];
/** Of OpenTelemetry, by its number divided by four. */
const OTEL = [TRACE, DEBUG, INFO, WARN, ERROR, CRITICAL];
/** Of pino, bunyan and Python, by their number divided by ten. */
const TENS = [0, TRACE, DEBUG, INFO, WARN, ERROR, CRITICAL];

const BUCKETS = 1024;
const LENGTH_MAX = 13;
const ZERO = 0x30;
const words: { readonly bytes: Uint8Array; readonly level: number }[] = [];
const byHash = new Int16Array(BUCKETS).fill(-1);
let seed = 1;
for (const [level, text] of written)
  for (const word of text.split(' ')) words.push({ bytes: Buffer.from(word), level });
while (!isFilled()) seed += 1;

function isFilled(): boolean {
  byHash.fill(-1);
  return words.every(({ bytes }, number) => {
    const bucket = hashOf(bytes, 0, bytes.length);
    const isFree = byHash[bucket] === -1;
    byHash[bucket] = number;
    return isFree;
  });
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = seed;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at]! | 0x20), 0x01000193);
  return (hash ^ (hash >>> 15)) & (BUCKETS - 1);
}

/** The number of the level that these letters mean; 0 for none. `INFO+2`, as Go's slog writes it, is INFO. */
export function levelOfWord(bytes: Uint8Array, start: number, end: number): number {
  let last = end;
  if (last - start > 2 && isDigit(bytes[last - 1]!) && (bytes[last - 2] === 0x2b || bytes[last - 2] === 0x2d))
    last -= 2;
  const length = last - start;
  if (length <= 0 || length > LENGTH_MAX) return 0;
  const word = words[byHash[hashOf(bytes, start, last)]!];
  if (word?.bytes.length !== length) return 0;
  for (let i = 0; i < length; i += 1) if ((bytes[start + i]! | 0x20) !== word.bytes[i]) return 0;
  return word.level;
}

/** Whether these letters are the level's own word, in either case: then nothing else need be kept. */
export function isLevelWord(bytes: Uint8Array, start: number, end: number, level: number): boolean {
  const word = levelWords[level]!;
  if (word.length !== end - start) return false;
  for (let i = 0; i < word.length; i += 1) if ((bytes[start + i]! | 0x20) !== word.charCodeAt(i)) return false;
  return true;
}

/** How a name's numbers are meant; `words`: not as levels. */
export type LevelScale = 'plain' | 'syslog' | 'otel' | 'words';

/** The number of the level that the msgpack value at `at` means; 0 for none. */
export function levelOfValue(bytes: Uint8Array, at: number, scale: LevelScale): number {
  const type = bytes[at]!;
  if (type < 0x80) return levelOfNumber(type, scale);
  if (!isText(type)) return 0;
  const start = textStart(bytes, at);
  const end = textEnd(bytes, at);
  if (start === end || !isDigit(bytes[start]!)) return levelOfWord(bytes, start, end);
  if (end - start > 2 || !isDigit(bytes[end - 1]!)) return 0;
  const number = end - start === 1 ? bytes[start]! - ZERO : (bytes[start]! - ZERO) * 10 + bytes[start + 1]! - ZERO;
  return levelOfNumber(number, scale);
}

/** Up to 7 it is syslog's number, from 10 on that of pino, bunyan and Python, unless the scale says otherwise. */
function levelOfNumber(number: number, scale: LevelScale): number {
  if (scale === 'words') return 0;
  if (scale === 'otel') return number === 0 ? 0 : (OTEL[(number - 1) >> 2] ?? 0);
  if (number < SYSLOG.length) return SYSLOG[number]!;
  return scale === 'syslog' || number < 10 ? 0 : (TENS[Math.floor(number / 10)] ?? 0);
}

/** Of syslog's number. */
export function levelOfSyslog(number: number): number {
  return SYSLOG[number] ?? 0;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39;
}
