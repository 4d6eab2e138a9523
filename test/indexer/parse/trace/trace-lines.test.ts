// Which lines make a trace: real output of programs in nine languages, line by line; what opens none; and garbage.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { NONE } from '#indexer/parse/trace/line.ts';
import { nextState, openingOf } from '#indexer/parse/trace/trace-lines.ts';
import { documentsOf, queued, Tracing } from '../../join/tracing.ts';

const folder = new URL('../../../fixtures/traces/', import.meta.url);
const linesOf = (name: string): string[] =>
  readFileSync(new URL(`${name}.txt`, folder), 'utf8')
    .replace(/\n$/, '')
    .split('\n');
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.txt'))
  .map((file) => file.slice(0, -4));

/** Lines of each document, in order. */
const expected: Record<string, number[]> = {
  java: [1, 20, 1, 14, 1, 2],
  kotlin: [1, 5, 1, 5, 1],
  python: [1, 1, 16, 1, 12, 10, 1, 1, 9, 1, 16],
  go: [1, 5, 1, 14],
  'go-all': [1, 5, 1, 20],
  'go-deadlock': [1, 5, 1, 10],
  node: [1, 9, 1, 16, 15, 1, 12, 1, 16],
  // A blank line comes before each panic.
  rust: [1, 1, 5, 1, 1, 2],
  'rust-backtrace': [1, 1, 15, 1, 1, 16],
  ruby: [1, 6, 1, 6],
  php: [1, 10, 1, 11],
  'php-log': [1, 10, 1, 11],
  dotnet: [1, 9, 1, 7],
  'dotnet-console': [1, 1, 1, 1, 5, 1, 1, 3, 1, 1],
  mono: [1, 6, 1, 1, 1, 6, 6],
};

for (const name of names) {
  test(`${name}: each trace is one document with all its lines, byte for byte`, () => {
    const lines = linesOf(name);
    const documents = documentsOf(lines);
    assert.deepEqual(
      documents.map((document) => document.lines),
      expected[name],
    );
    assert.equal(documents.map(({ text }) => text).join('\n'), lines.join('\n'));
    assert(documents.every(({ partial }) => !partial));
  });

  test(`${name}: each line with a line break of its own keeps it`, () => {
    const documents = documentsOf(linesOf(name).map((line) => `${line}\r\n`));
    assert.deepEqual(
      documents.map((document) => document.lines),
      expected[name],
    );
    assert.equal(documents.map(({ text }) => text).join(''), linesOf(name).join('\r\n') + '\r\n');
  });
}

function check(line: string, opens: boolean): void {
  const bytes = Buffer.from(`xx${line}xx`);
  assert.equal(openingOf(bytes, 2, bytes.length - 2) !== NONE, opens, JSON.stringify(line));
}

test('what opens a trace', () => {
  check('java.lang.IllegalStateException: x', true);
  check('java.lang.StackOverflowError', true);
  check('com.example.Outer$InnerException: ', true);
  check('Exception in thread "main" java.lang.Error', true);
  check('Caused by: java.io.IOException: x', true);
  check('\tat a.B.c(B.java:1)', true);
  check('\t... 12 common frames omitted', true);
  check('Unhandled exception. System.Exception: x', true);
  check('   at A.B() in /a.cs:line 3', true);
  check('      System.InvalidOperationException: x', true);
  check('TypeError [ERR_X]: x', true);
  check('    at /a/b.js:1:2', true);
  check('Traceback (most recent call last):', true);
  check('  File "/a.py", line 1, in f', true);
  check('panic: x', true);
  check('goroutine 7 [chan receive, 2 minutes]:', true);
  check("thread 'a b' panicked at src/main.rs:2:5:", true);
  check('PHP Fatal error:  Uncaught Exception: x in /a.php:3', true);
  check('[22-Nov-2026 19:00:00 Europe/Berlin] PHP Fatal error:  Uncaught Exception: x', true);
  check('#0 /a.php(6): f()', true);
  check("/a/b.rb:3:in `f': x (RuntimeError)", true);
  check("/a/b.rb:3:in 'Object#f': x (RuntimeError)", true);
  check("\tfrom a.rb:3:in `f'", true);
  check('\x1b[31mTypeError\x1b[39m: x', true);
  check('\x1b[90m    at f (/a.js:1:2)\x1b[39m', true);
  check('requests.exceptions._Error: x', true);
});

test('what opens none', () => {
  check('', false);
  check(' ', false);
  check('2026-01-02T03:04:05Z ERROR c.e.Foo - java.lang.IllegalStateException: x', false);
  check('INFO request=1 GET /', false);
  check('ERROR: relation does not exist', false);
  check('error: expected one of', false);
  check('{"level":"error","stack":"Error: x"}', false);
  check('time="2026-01-02T03:04:05Z" level=error msg="panic: x"', false);
  check('Terror: x', false);
  check('at noon: 5', false);
  check('    at noon we met', false);
  check('  ... and so on', false);
  check('    indented', false);
  check('    Error: x', false);
  check('    some.thing: x', false);
  check('# a comment', false);
  check('#1 of 5: done', false);
  check('/healthz 200', false);
  check('thread pool exhausted', false);
  check('goroutine leak?', false);
  check('PHP Warning:  x in /a.php on line 3', false);
  check('The quick brown fox', false);
  check('Exception handling is on', false);
  check('Caused by: bad input', false);
  check('[info] PHP started', false);
  check('lastError:', false);
  check('  spec.lastError:', false);
  check('com.shop.onError: x', false);
  check('\x1b[31mERROR\x1b[0m Error: x', false);
  check('\x1b[31', false);
  check('\x1b[31m', false);
  check('java.lang.Error: x\n\tat a.B.c(B.java:1)\n', false);
  check('Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: x', false);
  check('x'.repeat(100_000), false);
});

test('a line that looks like the beginning of one, alone, is what it was', () => {
  for (const line of ['Error: no such flag', '/a/b.js:12', 'panic: x', 'Exception ignored in: <f>']) {
    const [one, two, ...others] = documentsOf([line, 'and another thing']);
    assert.deepEqual([one?.text, one?.lines, one?.partial], [line, 1, false]);
    assert.deepEqual([two?.text, two?.lines, two?.partial], ['and another thing', 1, false]);
    assert.equal(others.length, 0);
  }
});

test('a trace in colours', () => {
  const python = [
    'Traceback (most recent call last):',
    '  File \x1b[35m"/a.py"\x1b[0m, line \x1b[35m1\x1b[0m, in \x1b[35mf\x1b[0m',
    '    \x1b[31mg\x1b[0m\x1b[1;31m()\x1b[0m',
    '    \x1b[31m~\x1b[0m\x1b[1;31m^^\x1b[0m',
    '\x1b[1;35mValueError\x1b[0m: \x1b[35mx\x1b[0m',
  ];
  const node = [
    '\x1b[31mError: x\x1b[39m',
    '\x1b[90m    at f (/a.js:1:2)\x1b[39m',
    '    at \x1b[1mg\x1b[22m (/a.js:3:4)', // in colours within
  ];
  for (const lines of [python, node]) {
    const documents = documentsOf([...lines, '\x1b[32minfo\x1b[39m: on']);
    assert.deepEqual(
      documents.map(({ text, partial }) => [text, partial]),
      [
        [lines.join('\n'), false],
        ['\x1b[32minfo\x1b[39m: on', false],
      ],
    );
  }
});

test('the next line of a log ends an exception that has no frames, and waits for nothing', () => {
  for (const line of [
    '2026-01-02T03:04:05Z INFO on',
    '2026/01/02 03:04:05 on',
    '[2026-01-02 03:04:05] on',
    '03:04:05.678 INFO on',
    '{"level":"info"}',
  ]) {
    const tracing = new Tracing();
    for (const one of queued(['com.shop.CartException: no', line])) tracing.read(one);
    assert.deepEqual(
      tracing.out.map(({ text }) => text),
      ['com.shop.CartException: no', line],
    );
  }
  for (const line of ['12 of 15', '1.5', '[n/a]', '{}', '2026', '20261123-04: x', 'ordinary text']) {
    const all = ['com.shop.CartException: no', line, '\tat a.B.c(B.java:1)'];
    assert.deepEqual(
      documentsOf(all).map(({ text }) => text),
      [all.join('\n')],
    );
  }
});

test('a text of several lines, joined by whoever sent it, is a document by itself', () => {
  const whole = 'java.lang.Error: x\n\tat a.B.c(B.java:1)';
  const tracing = new Tracing();
  for (const line of queued([whole, '  indented', whole])) tracing.read(line);
  assert.deepEqual(
    tracing.out.map(({ text, lines }) => [text, lines]),
    [whole, '  indented', whole].map((text) => [text, 1]),
  );
});

test('the rest of a trace is one document, marked', () => {
  for (const [name, cut] of [
    ['java', 5],
    ['node', 4],
    ['python', 3],
    ['ruby', 2],
    ['dotnet', 4],
  ] as const) {
    const [first] = documentsOf(linesOf(name).slice(cut));
    assert.equal(first?.partial, true, name);
    assert((first?.lines ?? 0) > 1, name);
  }
});

test('whatever comes, no byte is lost, and nothing throws', () => {
  const pool = names.flatMap(linesOf);
  const line = fc.oneof(
    fc.constantFrom(...pool),
    fc.string(),
    fc.tuple(fc.constantFrom(...pool), fc.nat(40)).map(([text, at]) => text.slice(0, at)),
    fc.tuple(fc.constantFrom(...pool), fc.nat(20), fc.string()).map(([text, at, other]) => text.slice(0, at) + other),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 60 }), (lines) => {
      // Lines have no line breaks inside.
      const own = lines.map((text) => text.replaceAll(/[\r\n]/g, ' '));
      const documents = documentsOf(own);
      assert.equal(documents.map(({ text }) => text).join('\n'), own.join('\n'));
      assert.deepEqual(
        documents.flatMap(({ refs }) => refs),
        own.map((_, i) => i),
      );
    }),
    { numRuns: 2000 },
  );
});

test('any bytes in any state', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 8 }),
      fc.constantFrom(...names),
      (some, name) => {
        let state = NONE;
        for (const bytes of [
          ...linesOf(name)
            .slice(0, 4)
            .map((text) => Buffer.from(text)),
          ...some,
        ]) {
          state = state === NONE ? openingOf(bytes, 0, bytes.length) : nextState(state, bytes, 0, bytes.length);
          assert(Number.isInteger(state) && state >= 0 && state < 0x800);
        }
      },
    ),
  );
});
