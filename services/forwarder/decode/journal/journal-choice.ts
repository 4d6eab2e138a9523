// Which entries of the journal are wanted: by their units and their priority. We choose, not journalctl: it looks up
// which units a pattern names once, as it starts, and the cursor of a choice among few entries would soon be one that
// rotation has taken. Pure.
//
// Guarantees: a process can hide nothing by what it writes: what names its unit is said by the journal itself, by
// systemd (UNIT of process 1), or by root.

import { matcherOfTexts } from '../files/path-pattern.ts';

interface JournalField {
  readonly name: string;
  readonly value: Buffer;
}

interface Chosen {
  readonly units?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  /** The first and the last number, 0 for the most severe; null: all, and entries without one. */
  readonly priorities: readonly [number, number] | null;
}

export type JournalChoice = (fields: readonly JournalField[]) => boolean;

/** They begin with an underscore: no process can write them. */
const UNITS_OF_JOURNAL = ['_SYSTEMD_UNIT', '_SYSTEMD_USER_UNIT', '_SYSTEMD_SLICE'];
/** What another process says of a unit. */
const UNITS_OF_ROOT = ['OBJECT_SYSTEMD_UNIT', 'COREDUMP_UNIT'];
const TYPES = /\.(?:service|socket|target|device|mount|automount|swap|timer|path|slice|scope)$/;
const PATTERN = /[*?[{]/;

export function journalChoice({ units, exclude = [], priorities }: Chosen): JournalChoice {
  const isIncluded = units === undefined ? null : anyOf(units);
  const isExcluded = exclude.length === 0 ? null : anyOf(exclude);
  return (fields) => {
    if (priorities !== null) {
      const number = Number(textOf(fields, 'PRIORITY') ?? Number.NaN);
      if (!(number >= priorities[0] && number <= priorities[1])) return false;
    }
    if (isIncluded === null && isExcluded === null) return true;
    const names = unitsOf(fields);
    return (isIncluded === null || names.some(isIncluded)) && !(isExcluded !== null && names.some(isExcluded));
  };
}

/** `nginx` is `nginx.service`, as journalctl has it; a pattern is for whole names. */
function anyOf(patterns: readonly string[]): (name: string) => boolean {
  const matchers = patterns.map((pattern) =>
    matcherOfTexts(PATTERN.test(pattern) || TYPES.test(pattern) ? pattern : `${pattern}.service`),
  );
  return (name) => matchers.some((matches) => matches(name));
}

function unitsOf(fields: readonly JournalField[]): string[] {
  const trusted = [...UNITS_OF_JOURNAL];
  if (textOf(fields, '_PID') === '1') trusted.push('UNIT');
  if (textOf(fields, '_UID') === '0') trusted.push(...UNITS_OF_ROOT);
  return fields.filter(({ name }) => trusted.includes(name)).map(({ value }) => value.toString('latin1'));
}

function textOf(fields: readonly JournalField[], wanted: string): string | undefined {
  return fields.find(({ name }) => name === wanted)?.value.toString('latin1');
}
