// A document as somebody at a terminal reads it: its level in colour, the human part of the line, what else the line
// said as `key=value` in short, and of a long stack trace its beginning and its causes. Pure. What goes to a file or
// another program is never this, but the line as it was written (document-text.ts).
//
// Everything that comes from a sender is made harmless before colours are put round it.

import { ecsFields } from '#shared/store/ecs-fields.ts';
import { harmless, oneLine } from '#shared/harmless.ts';
import { leafText } from '#shared/store/query/document-values.ts';
import type { StoredDocument } from '#shared/store/store.ts';
import { messageText, valueAt, withoutReturns } from './document-text.ts';
import { type Style, styled, styledLines } from '../terminal/style.ts';

export interface PeopleViewOptions {
  readonly hasColours: boolean;
  /** Whether long traces are shown whole. */
  readonly isWhole: boolean;
  /** What was looked for, in lower case: of a long trace, lines with it are shown too. */
  readonly sought?: readonly string[];
}

/** By level, as stored (docs/documents.md). */
const STYLES: Readonly<Record<string, Style>> = {
  emergency: 'red',
  alert: 'red',
  critical: 'red',
  error: 'red',
  warn: 'yellow',
  notice: 'cyan',
  info: 'green',
  debug: 'dim',
  trace: 'dim',
};
const LABELS: Readonly<Record<string, string>> = { emergency: 'EMERG', critical: 'CRIT' };
const LABEL_COLUMNS = 6;
/** Of a line, in characters: where it tells its level itself, it is not told twice. */
const LEVEL_STANDS_IN = 80;

/** Longer traces are folded. */
const TRACE_LINES_MAX = 12;
/** Shown of them at the beginning, and where a line begins one of these. */
const TRACE_HEAD = 6;
const CAUSES_MAX = 6;
const SOUGHT_LINES_MAX = 6;
const CAUSE = /^\s*(Caused by|Suppressed|During handling of|The above exception|\[?cause\]?)\b/i;

/** `key=value`, of all together and of one. */
const PAIRS_COLUMNS_MAX = 160;
const VALUE_MAX = 48;
/**
 * A shorter value may stand in a message by chance; a longer one, and one that stands further behind, is not looked
 * for: the search would take the product of both lengths, and senders choose both.
 */
const SAID_LENGTH_MIN = 3;
const SAID_LENGTH_MAX = 256;
const SAID_WITHIN = 4096;
/** So many pairs are looked at, shown or not. */
const PAIRS_MAX = 200;
/** The trace itself is in the message, or too long for a line. */
const UNSHOWN: ReadonlySet<string> = new Set([
  'error.stack_trace',
  'log.file.path',
  'process.pid',
  'process.thread.id',
]);

export function peopleText(document: StoredDocument, options: PeopleViewOptions): string {
  const { hasColours, isWhole, sought = [] } = options;
  const { source } = document;
  const level = textAt(source, 'log.level');
  const style = STYLES[level];
  const human = source['message'];
  const isPart = typeof human === 'string' && textAt(source, 'event.original') !== '' && lineCountOf(source) === 1;
  const whole = withoutReturns(isPart ? human.replace(/\n$/, '') : messageText(document));
  const text = harmless(isWhole ? whole : folded(whole, sought));
  const tone = style === 'dim' || style === 'red' || style === 'yellow' ? style : null;
  const body = hasColours && tone !== null ? styledLines(text, tone) : text;
  const isTold = style === undefined || text.slice(0, LEVEL_STANDS_IN).toLowerCase().includes(level);
  const label = isTold ? '' : labelText(level, hasColours ? style : null);
  const pairs = typeof human === 'string' ? pairsText(source, text) : '';
  const said = pairs === '' ? '' : `  ${hasColours ? styled(pairs, 'dim') : pairs}`;
  return `${label}${body}${said}`;
}

function labelText(level: string, style: Style | null): string {
  const label = LABELS[level] ?? level.toUpperCase();
  const space = ' '.repeat(LABEL_COLUMNS - label.length);
  return (style === null ? label : styled(label, style)) + space;
}

/** Its first lines, those that name a cause, and some with what was sought; in between, how many are not shown. */
function folded(text: string, sought: readonly string[]): string {
  const lines = text.split('\n');
  if (lines.length <= TRACE_LINES_MAX) return text;
  const shown: string[] = [];
  let left = 0;
  let causes = 0;
  let soughtLines = 0;
  const tell = (): void => {
    if (left > 0) shown.push(`    … ${left} more line${left === 1 ? '' : 's'} (--unfold)`);
    left = 0;
  };
  for (const [at, line] of lines.entries()) {
    const isCause = at >= TRACE_HEAD && causes < CAUSES_MAX && CAUSE.test(line);
    const isSought = !isCause && at >= TRACE_HEAD && soughtLines < SOUGHT_LINES_MAX && hasAny(line, sought);
    if (at >= TRACE_HEAD && !isCause && !isSought) {
      left += 1;
      continue;
    }
    tell();
    shown.push(line);
    if (isCause) causes += 1;
    if (isSought) soughtLines += 1;
  }
  tell();
  return shown.join('\n');
}

function hasAny(line: string, sought: readonly string[]): boolean {
  if (sought.length === 0) return false;
  const small = line.toLowerCase();
  return sought.some((words) => small.includes(words));
}

/** What the line said beside what is shown of it, up to a width. */
function pairsText(source: StoredDocument['source'], shown: string): string {
  let text = '';
  let looked = 0;
  const said = shown.slice(0, SAID_WITHIN);
  for (const [key, value] of pairsOf(source)) {
    if (looked++ === PAIRS_MAX) return `${text} …`.trimStart();
    const { length } = value;
    if (length >= SAID_LENGTH_MIN && length <= SAID_LENGTH_MAX && said.includes(value)) continue;
    const pair = `${oneLine(harmless(cut(key)))}=${quoted(oneLine(harmless(cut(value))))}`;
    if (text.length + pair.length > PAIRS_COLUMNS_MAX) return `${text} …`.trimStart();
    text += text === '' ? pair : ` ${pair}`;
  }
  return text;
}

function* pairsOf(source: StoredDocument['source']): Generator<[key: string, value: string]> {
  for (const [path] of ecsFields) {
    if (UNSHOWN.has(path)) continue;
    const value = leafText(valueAt(source, path));
    if (value !== null) yield [path, value];
  }
  const attributes = source['attributes'];
  if (typeof attributes === 'object' && attributes !== null) yield* leavesOf('', attributes);
}

function* leavesOf(path: string, fields: object): Generator<[key: string, value: string]> {
  for (const [name, value] of Object.entries(fields)) {
    const leaf = leafText(value);
    const key = path === '' ? name : `${path}.${name}`;
    if (leaf !== null) yield [key, leaf];
    else if (Array.isArray(value)) yield [key, JSON.stringify(value.slice(0, 4))];
    else if (typeof value === 'object' && value !== null) yield* leavesOf(key, value as object);
  }
}

const cut = (text: string): string => (text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX - 1)}…` : text);
const quoted = (text: string): string =>
  /[\s"=]/.test(text) || text === '' ? `"${text.replaceAll('"', '\\"')}"` : text;

/** How many lines of a source the document is. */
function lineCountOf(source: StoredDocument['source']): number {
  const lines = valueAt(source, 'log.lines');
  return typeof lines === 'number' ? lines : 1;
}

function textAt(source: StoredDocument['source'], path: string): string {
  const value = valueAt(source, path);
  return typeof value === 'string' ? value : '';
}
