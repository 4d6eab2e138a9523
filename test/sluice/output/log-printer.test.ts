// Names and messages of any size: whoever can log chooses both.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoredDocument } from '#shared/store/store.ts';
import { LogPrinter } from '../../../services/sluice/output/log-printer.ts';
import { Output } from '../../../services/sluice/output/output.ts';
import { Page } from '../command-runner.ts';

const document = (name: string, message: string): StoredDocument => ({
  id: 'x',
  index: 'x',
  sort: [],
  source: { container: { name }, message },
});

async function printed(documents: readonly StoredDocument[]): Promise<string> {
  const stdout = new Page();
  const output = new Output({ stdout, stderr: new Page() });
  await new LogPrinter(output, { json: false, timestamps: false, details: false, people: null }).print(documents);
  return stdout.text;
}

test('a name as long as an event does not make a page too long to print', async () => {
  const page = Array.from({ length: 999 }, () => document('a', 'one'));
  const lines = (await printed([document('n'.repeat(700_000), 'first'), ...page])).split('\n');
  assert.equal(lines.length, 1001);
  assert.equal(lines[0], `${'n'.repeat(255)}… | first`);
  assert.equal(lines[1], `${'a'.padEnd(64)} | one`);
});

test('a message of line ends is printed in pieces', async () => {
  let characters = 0;
  const stdout = new Page();
  stdout._write = (chunk, _encoding, done) => {
    characters += chunk.length;
    done();
  };
  const output = new Output({ stdout, stderr: new Page() });
  const lines = 9_000_000;
  await new LogPrinter(output, { json: false, timestamps: false, details: false, people: null }).print([
    document('a', ''),
    document('n'.repeat(64), '\n'.repeat(lines)),
  ]);
  // The last line end of a message is not shown.
  assert.equal(characters, (lines + 1) * (64 + ' | \n'.length));
});

test('no line is lost where a message is cut', async () => {
  for (const line of ['', 'x', '🙂'.repeat(50), 'y'.repeat(100_000)]) {
    const message = `${line}\n`.repeat(200_000 / (line.length + 1));
    const lines = (await printed([document('b', 'x'), document('a', `${message}end`)])).split('\n');
    assert.equal(lines.length, message.split('\n').length + 2);
    assert.ok(lines.slice(1, -2).every((printedLine) => printedLine === `a | ${line}`));
    assert.equal(lines.at(-2), 'a | end');
  }
});
