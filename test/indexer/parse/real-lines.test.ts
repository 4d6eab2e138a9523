// Lines that real programs wrote (test/fixtures/lines), and the whole documents that they become. Each line is also cut
// at every byte and changed at random: then its bytes must be in the document, and nothing may fail.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { documentOf, entryOf } from './documents.ts';

const folder = join(import.meta.dirname, '../../fixtures/lines');
const sources = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -4));
const linesOf = (source: string): string[] =>
  readFileSync(join(folder, `${source}.txt`), 'utf8')
    .split('\n')
    .filter((line) => line !== '');

/** When the lines were written, within a day. */
const WRITTEN = Date.UTC(2026, 10, 22, 20, 30) / 1000;

test('each line becomes its document', () => {
  assert(sources.length >= 12);
  for (const source of sources) {
    const expected: unknown = JSON.parse(readFileSync(join(folder, `${source}.json`), 'utf8'));
    assert.deepEqual(
      linesOf(source).map((line) => documentOf(entryOf({ log: line }, WRITTEN))),
      expected,
      source,
    );
  }
});

test('cut anywhere, a line is in its document', () => {
  for (const source of sources) {
    for (const line of linesOf(source)) {
      for (let end = 0; end <= line.length; end += 1) holds(line.slice(0, end));
      for (let start = 1; start < Math.min(line.length, 100); start += 1) holds(line.slice(start));
    }
  }
});

test('changed at random, a line is in its document', () => {
  const lines = sources.flatMap(linesOf);
  const change = fc.tuple(
    fc.nat(),
    fc.constantFrom('', '"', '\\', '{', '}', '[', ']', ':', ' ', '=', '\0', '\u001b', 'é'),
  );
  fc.assert(
    fc.property(fc.constantFrom(...lines), fc.array(change, { minLength: 1, maxLength: 4 }), (line, changes) => {
      let changed = line;
      for (const [place, by] of changes) {
        const at = place % (changed.length + 1);
        changed = changed.slice(0, at) + by + changed.slice(at + 1);
      }
      holds(changed);
    }),
    { numRuns: 3000 },
  );
});

/** Whether the document has all bytes of the line, as its message or as the original. */
function holds(line: string): void {
  const document = documentOf(entryOf({ log: line }, WRITTEN));
  const { original } = document['event'] as { original?: unknown };
  assert.equal(original ?? document['message'], line);
}
