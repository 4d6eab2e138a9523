// The text forms of setting values: what a variable holds, and how the effective configuration is printed.

import type { Syntax } from './settings.ts';
import { parseYaml } from './yaml-text.ts';

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
};
const TIME_UNITS_MS: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export type Parsed = { readonly value: unknown } | { readonly mistake: string };

export function valueFromText(syntax: Syntax, text: string): Parsed {
  switch (syntax) {
    case 'text':
      return { value: text };
    case 'integer':
      return /^-?\d+$/.test(text) ? { value: Number(text) } : { mistake: 'is not a whole number' };
    case 'count':
      return /^(\d+|auto)$/.test(text)
        ? { value: text === 'auto' ? text : Number(text) }
        : { mistake: 'is neither a whole number nor auto' };
    case 'bytes':
      return quantity(text, BYTE_UNITS, 'a number of bytes, such as 65536, 64KiB or 2GiB');
    case 'milliseconds':
      return quantity(text, TIME_UNITS_MS, 'a time, such as 250 (milliseconds), 5s, 10m, 12h or 7d');
    case 'boolean':
      if (/^(true|yes|on|1)$/i.test(text)) return { value: true };
      if (/^(false|no|off|0)$/i.test(text)) return { value: false };
      return { mistake: 'is neither true nor false' };
    case 'list':
      return fromList(text);
    case 'yaml':
      return fromYaml(text);
  }
}

/** One without an entry is a mistake, such as that of a template that gave nothing: for some it would mean any. */
function fromList(text: string): Parsed {
  const entries = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  return entries.length === 0 ? { mistake: 'has no entry; leave it out, or give one' } : { value: entries };
}

function fromYaml(text: string): Parsed {
  try {
    return { value: parseYaml(text) };
  } catch {
    return { mistake: 'is neither YAML nor JSON' };
  }
}

function quantity(text: string, units: Readonly<Record<string, number>>, expected: string): Parsed {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text) ?? [];
  const factor = units[(unit ?? '').toLowerCase()];
  if (digits === undefined || factor === undefined) return { mistake: `is not ${expected}` };
  return { value: Math.round(Number(digits) * factor) };
}

/**
 * What comes between a scheme and the last @ before the next URL: a password may hold commas and slashes that should
 * have been encoded.
 */
const LOGIN = /([a-z][a-z0-9+.-]*:\/\/)(?:(?!,\s*[a-z][a-z0-9+.-]*:\/\/).)*@/gis;
/** One whose scheme was forgotten; `fd:3@…` names a socket. */
const BARE_LOGIN = /(^|,\s*)(?!fd:)[^\s,:/@]+:(?!\/\/)[^\s,@]*@/gi;

/** URLs, or a list of them, without the names and passwords that they may hold; any other text as it is. */
export function maskedUrl(text: string): string {
  return text.replaceAll(LOGIN, '$1********@').replaceAll(BARE_LOGIN, '$1********@');
}

/** As it would be written in a variable; numbers with the largest unit that divides them. */
export function textFromValue(syntax: Syntax, value: unknown): string {
  if (syntax === 'yaml') return JSON.stringify(value);
  if (Array.isArray(value)) return value.join(',');
  if (typeof value !== 'number') return String(value);
  if (syntax === 'bytes')
    return inUnits(value, [
      ['GiB', 2 ** 30],
      ['MiB', 2 ** 20],
      ['KiB', 2 ** 10],
    ]);
  if (syntax === 'milliseconds')
    return inUnits(value, [
      ['d', 86_400_000],
      ['h', 3_600_000],
      ['m', 60_000],
      ['s', 1000],
    ]);
  return String(value);
}

function inUnits(value: number, units: readonly (readonly [string, number])[]): string {
  const unit = units.find(([, factor]) => value >= factor && value % factor === 0);
  return unit ? `${value / unit[1]}${unit[0]}` : String(value);
}
