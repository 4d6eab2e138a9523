// The lines of `npm run dev` show what there is: every level, several sources, a message of several lines; and they can
// be repeated.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineAt } from '../../infra/dev/lines.ts';

const AT_MS = Date.UTC(2026, 2, 1, 12);
const lines = Array.from({ length: 11 }, (_, n) => lineAt(n, AT_MS, () => 0.5));

function valuesOf(key: string): string[] {
  return [...new Set(lines.map(({ record }) => String(record[key] as string | undefined)))].sort();
}

test('a round of lines has every source, level and kind', () => {
  assert.deepEqual([...new Set(lines.map(({ tag }) => tag))].sort(), ['shop.api', 'shop.web', 'shop.worker']);
  assert.deepEqual(valuesOf('level'), ['debug', 'error', 'info', 'undefined', 'warn']);
  assert.deepEqual(valuesOf('source'), ['stderr', 'stdout', 'undefined']);
  assert.ok(lines.some(({ record }) => String(record['log']).split('\n').length > 3));
  assert.ok(lines.some(({ record }) => String(record['log']).includes('[2026-03-01T12:00:00Z] "GET /items/')));
});

test('the same number, time and chance give the same line', () => {
  assert.deepEqual(
    lines.map((_, n) => lineAt(n, AT_MS, () => 0.5)),
    lines,
  );
});
