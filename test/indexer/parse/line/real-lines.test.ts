// Lines that real programs wrote (test/fixtures/lines), and the whole documents that they become. Each line is also cut
// at every byte and changed at random: then its bytes must be in the document, and nothing may fail.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { documentOf, entryOf, outcomeOf } from '../documents.ts';

const folder = join(import.meta.dirname, '../../../fixtures/lines');
const sources = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .map((name) => name.slice(0, -4));
const linesOf = (source: string): string[] =>
  readFileSync(join(folder, `${source}.txt`), 'utf8')
    .split('\n')
    .filter((line) => line !== '');

/** When the lines were written, within a day. */
const WRITTEN = Date.UTC(2026, 10, 22, 20, 30) / 1000;
const SOURCES_MIN = 40;
/** Bytes at each end that are cut at every place; behind them, a long line is cut in about CUTS_MAX places. */
const HEAD = 150;
const CUTS_MAX = 60;
const RUNS = 3000;

test('there are enough sources, and each has its documents and its place in the README', () => {
  assert(sources.length >= SOURCES_MIN, `${sources.length} sources`);
  const readme = readFileSync(join(folder, 'README.md'), 'utf8');
  for (const source of sources) assert(readme.includes(`| \`${source}\` `), `${source} is not in the README`);
  const documents = readdirSync(folder).filter((name) => name.endsWith('.json'));
  assert.deepEqual(
    documents.map((name) => name.slice(0, -5)),
    sources,
  );
});

test('each line becomes its document', () => {
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
      const step = Math.max(1, Math.floor(line.length / CUTS_MAX));
      for (let end = 0; end <= line.length; end += end < HEAD ? 1 : step) holds(line.slice(0, end));
      for (let start = 1; start < Math.min(line.length, HEAD); start += 1) holds(line.slice(start));
    }
  }
});

test('changed at random, a line is in its document', () => {
  const lines = sources.flatMap(linesOf);
  const change = fc.tuple(
    fc.nat(),
    fc.constantFrom(
      '',
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ':',
      ' ',
      '=',
      '\0',
      '\u001b',
      'é',
      '(',
      ')',
      '<',
      '-',
      '\t',
      '.',
    ),
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
    { numRuns: RUNS },
  );
});

/** Whether the document has all bytes of the line, or of the text in it, as its message or as the original. */
function holds(line: string): void {
  const entry = entryOf({ log: line }, WRITTEN);
  // A part waits for the others.
  if (outcomeOf(entry) === 'part') return;
  const document = documentOf(entry);
  const { original } = document['event'] as { original?: unknown };
  const text = original ?? document['message'];
  if (text !== line) assert.equal(text, textIn(line), line);
}

/** What a container runtime or the journal put around the text, taken off in another way than the indexer does it. */
function textIn(line: string): unknown {
  const cri = /^\S+ (?:stdout|stderr) F(?::\S*)?(?: ([^]*))?$/.exec(line);
  if (cri) return cri[1] ?? '';
  const { log, MESSAGE } = JSON.parse(line) as { log?: string; MESSAGE?: string | number[] };
  if (log !== undefined) return log.replace(/\n$/, '');
  return typeof MESSAGE === 'string' ? MESSAGE : Buffer.from(MESSAGE ?? []).toString();
}
