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

/** A stack trace whose lines came a millisecond apart. */
const trace = (lines: readonly string[], more: object = {}): StoredDocument => ({
  id: 'x',
  index: 'x',
  sort: [],
  source: {
    '@timestamp': '2026-01-02T03:04:59.999Z',
    container: { name: 'a' },
    message: lines.join('\n'),
    attributes: { k: 'v' },
    log: { lines: lines.length, line_offsets: lines.map((_, n) => 1_000_001 * n) },
    ...more,
  },
});

async function printedWith(
  documents: readonly StoredDocument[],
  options: { timestamps?: boolean; details?: boolean; isTTY?: boolean },
): Promise<string> {
  const { timestamps = false, details = false, isTTY = false } = options;
  const stdout = Object.assign(new Page(), { isTTY });
  const output = new Output({ stdout, stderr: new Page() });
  await new LogPrinter(output, { json: false, timestamps, details, people: null }).print(documents);
  return stdout.text;
}

test('each line of a stack trace has its own time, and the details', async () => {
  const expected = '2026-01-02T03:04:59.999000000Z E: x\n2026-01-02T03:05:00.000000001Z \tat a\n';
  for (const isTTY of [false, true])
    assert.equal(await printedWith([trace(['E: x', '\tat a'])], { timestamps: true, isTTY }), expected);
  assert.equal(await printedWith([trace(['E: x', '\tat a'])], { details: true }), 'k=v E: x\nk=v \tat a\n');
  assert.equal(await printedWith([trace(['E: x', '\tat a'])], {}), 'E: x\n\tat a\n');
  const arrived = { event: { created: '2026-01-02T03:04:05.000Z', original: 'F: x\n\tat b' } };
  assert.equal(
    await printedWith([trace(['E: x', '\tat a'], arrived)], { timestamps: true }),
    '2026-01-02T03:04:05.000000000Z F: x\n2026-01-02T03:04:05.001000001Z \tat b\n',
  );
});

test('offsets that are none, or too few or too large, print a trace all the same', async () => {
  const time = '2026-01-02T03:04:59.999000000Z';
  for (const [log, second] of [
    [{ lines: 2 }, `${time} b`],
    [{ lines: 2, line_offsets: [0] }, `${time} b`],
    [{ lines: 2, line_offsets: [0, 1e300] }, `${time} b`],
    [{ lines: 2, line_offsets: [0, -9e18] }, `${time} b`],
    [{ lines: 2, line_offsets: [0, 0.5] }, `${time} b`],
    [{ lines: 2, line_offsets: [0, '1'] }, `${time} b`],
    [{ lines: 2, line_offsets: 7 }, `${time} b`],
    [{ lines: 3, line_offsets: [0, 1, 2] }, 'b'],
    [{ lines: '2' }, 'b'],
    [{}, 'b'],
  ] as const)
    assert.equal(
      await printedWith([trace(['a', 'b'], { log })], { timestamps: true }),
      `${time} a\n${second}\n`,
      JSON.stringify(log),
    );
});

test('long details are printed once for a trace', async () => {
  const attributes = { k: 'v'.repeat(5000) };
  const text = await printedWith([trace(Array<string>(4000).fill('x'), { attributes })], { details: true });
  assert.equal(text.length, 5003 + 8000);
});
