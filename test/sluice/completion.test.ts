// Words for a shell: by table, by a real store, and by the shells that are here.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { run } from '../../services/sluice/commands/completion.ts';
import { scripts } from '../../services/sluice/completion/scripts.ts';
import { optionsIn, wordsFor } from '../../services/sluice/completion/words.ts';
import { help as logsHelp } from '../../services/sluice/commands/logs.ts';
import { CommandRunner } from './command-runner.ts';

const known = {
  commands: ['logs', 'lag', 'search'],
  helpOf: async (command: string) => (command === 'logs' ? logsHelp : null),
  namesOf: async (kind: string, prefix: string) => [`${kind}:${prefix}`],
};

for (const [line, words] of [
  [[], ['logs', 'lag', 'search', '--help', '--version']],
  [['l'], ['logs', 'lag']],
  [['x'], []],
  [['logs', ''], ['any:']],
  [['logs', 'we'], ['any:we']],
  [['logs', '--ti'], ['--timestamps']],
  [
    ['logs', '--level', 'e'],
    ['error', 'emergency'],
  ],
  [['logs', '--pod', 'w'], ['pod:w']],
  [['logs', '--since', ''], []],
  [['search', 'x', '--tenant', ''], ['tenant:']],
  [['search', 'x'], []],
  [
    ['none', '--'],
    ['--config', '--help'],
  ],
  [['__proto__', '--h'], ['--help']],
] as const satisfies [string[], string[]][]) {
  test(`sluice ${line.join(' ')}▏`, async () => assert.deepEqual(await wordsFor(line, known), words));
}

test('every option of a help is found once', () => {
  const options = optionsIn(logsHelp);
  assert.equal(new Set(options).size, options.length);
  for (const option of ['--follow', '--tail', '--where', '--level', '--context', '--unfold', '--config'])
    assert.ok(options.includes(option), option);
});

test('names are those of the store; what a terminal would not show is left out', async () => {
  await using runner = await CommandRunner.open();
  await runner.write([
    { message: 'a', container: { name: 'web-1' }, kubernetes: { pod: { name: 'pod-1' }, namespace: 'shop' } },
    { message: 'b', container: { name: 'web-2' }, tenant: { id: 'acme' } },
    { message: 'c', container: { name: 'web-\u001b[2J' } },
    { message: 'd', service: { name: 'other' } },
    { message: 'e', container: { name: '--config=/tmp/evil.yaml' } },
    { message: 'f', container: { name: '-f;x' } },
    { message: 'g', container: { name: '~root' } },
    { message: 'h', container: { name: '=ls' } },
  ]);
  for (const [line, words] of [
    [['logs', 'web'], 'web-1\nweb-2\n'],
    [['logs', '--pod', ''], 'pod-1\n'],
    [['logs', '--namespace', 's'], 'shop\n'],
    [['search', '--tenant', 'a'], 'acme\n'],
    [['logs', 'nothing'], ''],
    [['logs', '--name', '--'], ''],
    [['logs', '--name', ''], 'other\npod-1\nweb-1\nweb-2\n'],
  ] as const)
    assert.deepEqual(await runner.run(run, ['words', '--', ...line]), { code: 0, stdout: words, stderr: '' });
});

test('a shell that there is not is a mistake', async () => {
  await using runner = await CommandRunner.open();
  await assert.rejects(runner.run(run, ['tcsh']), /name one shell of bash, zsh, fish/);
});

test('bash completes by the script, words with spaces and colons too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-completion-'));
  try {
    // Answers with what it was asked, and names that have to be quoted, or have a colon.
    const program = join(folder, 'sluice');
    await writeFile(program, `#!/bin/sh\nshift 3\necho "$#:$*"\necho 'a b'\necho we:x:1\n`);
    await chmod(program, 0o755);
    /** `words`: as bash cuts them. */
    const check = async (words: string, line: string, expected: string, after = ''): Promise<void> => {
      const typed = `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))`;
      const place = `COMP_LINE='${line}${after}'; COMP_POINT=${line.length}`;
      const ask = `${scripts.bash}\n${typed}; ${place}; _sluice; printf '%s|' "\${COMPREPLY[@]}"`;
      const { stdout } = await promisify(execFile)('bash', ['-c', ask]);
      assert.equal(stdout, expected, line);
    };
    const p = program;
    await check(`${p} logs --pod we : x`, `${p} logs --pod we:x`, String.raw`3:logs\ --pod\ we:x|a\ b|x:1|`);
    await check(`${p} logs we :`, `${p} logs we:`, String.raw`2:logs\ we:|a\ b|x:1|`);
    await check(`${p} logs we : ''`, `${p} logs we:`, String.raw`2:logs\ we:|a\ b|x:1|`);
    await check(`${p} logs we : x :`, `${p}  logs   we:x:`, String.raw`2:logs\ we:x:|a\ b|1|`);
    await check(`${p} logs we : ''`, `${p} logs we: `, String.raw`3:logs\ we:\ |a\ b|we:x:1|`);
    await check(`${p} logs ''`, `${p} logs `, String.raw`2:logs\ |a\ b|we:x:1|`);
    await check(`${p} logs web`, `${p} logs w`, String.raw`2:logs\ w|a\ b|we:x:1|`, 'eb --follow');
    await check(`${p} lo`, `${p} lo`, String.raw`1:lo|a\ b|we:x:1|`);
  } finally {
    await rm(folder, { recursive: true });
  }
});
