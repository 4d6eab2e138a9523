// What --level, --pod, --namespace and --tenant choose, in a store; and lines round what was found.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { run as logs } from '../../../services/sluice/commands/logs.ts';
import { run as search } from '../../../services/sluice/commands/search.ts';
import { CommandRunner } from '../command-runner.ts';

let runner: CommandRunner;
const LEVELS = ['trace', 'debug', 'info', 'notice', 'warn', 'error', 'critical', 'alert', 'emergency'];

before(async () => {
  runner = await CommandRunner.open();
  await runner.write([
    ...LEVELS.map((level) => ({ message: level, log: { level }, container: { name: 'leveled' } })),
    { message: 'one', kubernetes: { pod: { name: 'web-1' }, namespace: 'shop' } },
    { message: 'two', kubernetes: { pod: { name: 'web-2' }, namespace: 'shop' } },
    { message: 'three', kubernetes: { pod: { name: 'db.0' }, namespace: 'sh*p' } },
    { message: 'four', tenant: { id: 'acme' }, container: { name: 'other' } },
  ]);
  // Two sources, turn by turn.
  await runner.write(
    Array.from({ length: 40 }, (_, at) => ({
      message: at % 2 === 0 ? `even ${at}` : `odd ${at}`,
      container: { id: at % 2 === 0 ? 'a'.repeat(64) : 'b'.repeat(64), name: 'pair' },
    })),
  );
});
after(() => runner[Symbol.asyncDispose]());

async function lines(command: typeof logs, args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await runner.run(command, args);
  assert.equal(`${code}${stderr}`, '0');
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.replace(/^.* \| /, ''));
}

for (const [args, messages] of [
  [
    ['leveled', '--level', 'error'],
    ['error', 'critical', 'alert', 'emergency'],
  ],
  [
    ['leveled', '--level', 'WARNING', '-n', '2'],
    ['alert', 'emergency'],
  ],
  [['leveled', '--level', 'trace'], LEVELS],
  // As the indexer reads the word in a line.
  [
    ['leveled', '--level', 'panic'],
    ['critical', 'alert', 'emergency'],
  ],
  [
    ['leveled', '--level', 'fatal', '--where=-alert'],
    ['critical', 'emergency'],
  ],
  [
    ['--pod', 'web-*'],
    ['one', 'two'],
  ],
  [['--pod', 'db.0'], ['three']],
  [['--namespace', 'shop', '--pod', 'web-2'], ['two']],
  [['--namespace', 'sh?p'], []],
  [['--tenant', 'acme'], ['four']],
  [
    ['pair', '--where', '"even 10"', '-C', '2'],
    ['even 6', 'even 8', 'even 10', 'even 12', 'even 14'],
  ],
  [
    ['pair', '--where', '"odd 1" OR "odd 39"', '-C', '1'],
    ['odd 1', 'odd 3', '--', 'odd 37', 'odd 39'],
  ],
  [
    ['pair', '--where', '"even 10" OR "even 14"', '-C', '1'],
    ['even 8', 'even 10', 'even 12', 'even 14', 'even 16'],
  ],
  [
    ['pair', '--where', '"even 10" OR "odd 11"', '-C', '1'],
    ['even 8', 'even 10', 'even 12', '--', 'odd 9', 'odd 11', 'odd 13'],
  ],
] as const satisfies [string[], string[]][]) {
  test(`logs ${args.join(' ')}`, async () => assert.deepEqual(await lines(logs, args), messages));
}

for (const [args, messages] of [
  [['one OR two', '--pod', 'web-1'], ['one']],
  [['four', '--tenant', 'acme'], ['four']],
  [
    ['"even 10" OR "even 20"', '-C', '1'],
    ['even 8', 'even 10', 'even 12', '--', 'even 18', 'even 20', 'even 22'],
  ],
] as const satisfies [string[], string[]][]) {
  test(`search ${args.join(' ')}`, async () => assert.deepEqual(await lines(search, args), messages));
}

for (const [command, args, mistake] of [
  [logs, ['--level', 'loud'], /Cannot read --level "loud": give one of trace, /],
  [logs, ['-C', '1', '-f'], /give -C or -f, not both/],
  [logs, ['-C', '1001'], /Cannot read --context "1001"/],
  [search, ['x | top stream', '-C', '1'], /behind a bar there are rows/],
] as const) {
  test(`${args.join(' ')} is a mistake`, async () => {
    await assert.rejects(runner.run(command, [...args]), mistake);
  });
}

test('at a terminal, the lines round it are faint', async () => {
  const { stdout } = await runner.run(logs, ['pair', '--where', '"even 10"', '-C', '1'], { isTTY: true });
  assert.equal(stdout, '\u001b[2meven 8\u001b[0m\neven 10\n\u001b[2meven 12\u001b[0m\n');
});
