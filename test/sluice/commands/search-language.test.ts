// `sluice search` and `sluice logs --where` in the language of queries, over an embedded store: what is found, what is
// counted, and what is said of a slip.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { run as logs } from '../../../services/sluice/commands/logs.ts';
import { run } from '../../../services/sluice/commands/search.ts';
import { CommandRunner } from '../command-runner.ts';

let runner: CommandRunner;

before(async () => {
  runner = await CommandRunner.open();
  const start = Date.UTC(2026, 2, 1, 12);
  await runner.write(
    Array.from({ length: 12 }, (_, i) => ({
      '@timestamp': new Date(start + i * 60_000).toISOString(),
      message: `request ${i}`,
      log: { level: i % 4 === 0 ? 'ERROR' : 'info' },
      container: { name: `web-${i % 2}` },
      attributes: { status: i % 3 === 0 ? 500 : 200, took: i * 1.5, url: `/p,${i % 2}` },
    })),
  );
});
after(() => runner[Symbol.asyncDispose]());

const numbers = (text: string): number[] => [...text.matchAll(/request (\d+)/g)].map(([, n]) => Number(n));

async function finds(query: string, expected: number[]): Promise<void> {
  const { code, stdout, stderr } = await runner.run(run, [query]);
  assert.deepEqual({ code, found: numbers(stdout), stderr }, { code: 0, found: expected, stderr: '' }, query);
}

async function prints(args: string[], expected: string[], said = ''): Promise<void> {
  const { code, stdout, stderr } = await runner.run(run, args);
  assert.deepEqual({ code, stdout: stdout.split('\n'), stderr }, { code: 0, stdout: [...expected, ''], stderr: said });
}

it('finds by fields, ranges and operators, newest first', async () => {
  await finds('level:error', [8, 4, 0]);
  await finds('status>=500', [9, 6, 3, 0]);
  await finds('status>=500 level:error', [0]);
  await finds('took:[3 TO 6] OR took>16', [11, 4, 3, 2]);
  await finds('container:web-1 -status:500', [11, 7, 5, 1]);
  await finds('@timestamp>=2026-03-01T12:10', [11, 10]);
  await finds('"request 7" OR url:"/p,0" took<1', [7, 0]);
  await finds('nothing_like_this', []);
});

it('shows the place of a mistake, with exit code 2', async () => {
  await assert.rejects(
    runner.run(run, ['level:error (a']),
    (error: Error & { code: string; kind: { exit: number } }) => {
      assert.equal(error.message, 'Cannot read the query: this ( is never closed\n  level:error (a\n              ^');
      assert.deepEqual([error.code, error.kind.exit], ['usage_wrong', 2]);
      return true;
    },
  );
});

it('tells of fields that no document has', async () => {
  const said = async (args: string[]) => (await runner.run(run, args)).stderr;
  assert.equal(await said(['lvl:error']), 'sluice: nothing has the field lvl; did you mean log.level?\n');
  assert.equal(
    await said(['stauts>=500 tok:1']),
    'sluice: nothing has the field stauts; did you mean status?\n' +
      'sluice: nothing has the field tok; did you mean took?\n',
  );
  assert.equal(await said(['qqqq:*']), 'sluice: nothing has the field qqqq; put it in quotes if it is text\n');
  assert.equal(await said(['-n', '5', '--', '-lvl:error']), '');
  assert.equal(await said(['* | count by lvl']), 'sluice: nothing has the field lvl; did you mean log.level?\n');
  assert.equal(await said(['level:fatal']), '');
  assert.equal(await said(['level:error', '--since', '2027-01-01']), '');
});

it('counts', async () => {
  await prints(
    ['* | count by level'],
    [
      'log.level  count',
      'info           9  ████████████████████████████████████████',
      'ERROR          3  █████████████▍',
    ],
  );
  await prints(
    ['* | count by 5m', '--json'],
    [
      '{"@timestamp":"2026-03-01T12:00:00Z","count":5}',
      '{"@timestamp":"2026-03-01T12:05:00Z","count":5}',
      '{"@timestamp":"2026-03-01T12:10:00Z","count":2}',
    ],
  );
  await prints(
    ['took>=15 OR took<1 | count by 4m', '--json'],
    [
      '{"@timestamp":"2026-03-01T12:00:00Z","count":1}',
      '{"@timestamp":"2026-03-01T12:04:00Z","count":0}',
      '{"@timestamp":"2026-03-01T12:08:00Z","count":2}',
    ],
  );
  await prints(['status:500 | top 1 container', '--csv'], ['container.name,count', 'web-1,2']);
  await prints(
    ['| stats count, avg(took), p50(took), max(took), uniq(url) by status | sort status', '--csv'],
    ['status,count,avg(took),p50(took),max(took),uniq(url)', '200,8,9,7.5,16.5,2', '500,4,6.75,4.5,13.5,2'],
  );
  await prints(['nothing | count'], ['count', '    0']);
});

it('sorts, chooses columns, and limits', async () => {
  await prints(
    ['status:500 | sort took desc | fields took, url | head 2', '--csv'],
    ['took,url', '13.5,"/p,1"', '9,"/p,0"'],
  );
  await prints(['status:500 | fields took, nope', '-n', '1'], ['took  nope', '13.5  -']);
  await prints(
    ['* | count by url, level | sort -count, url | head 1', '--json'],
    ['{"url":"/p,1","log.level":"info","count":6}'],
  );
  await assert.rejects(runner.run(run, ['* | count by level | sort x']), { code: 'usage_wrong' });
  await assert.rejects(runner.run(run, ['*', '--csv']), { code: 'usage_wrong' });
  await assert.rejects(runner.run(run, ['* | count', '--csv', '--json']), { code: 'usage_wrong' });
});

it('logs take a query', async () => {
  const { code, stdout, stderr } = await runner.run(logs, ['web-0', '--where', 'status>=500 OR took>14']);
  assert.deepEqual([code, numbers(stdout), stderr], [0, [0, 6, 10], '']);
  const tail = await runner.run(logs, ['--where', 'level:info', '-n', '2']);
  assert.deepEqual(numbers(tail.stdout), [10, 11]);
  const slip = await runner.run(logs, ['--where', 'stauts:500']);
  assert.deepEqual([slip.stdout, slip.stderr], ['', 'sluice: nothing has the field stauts; did you mean status?\n']);
  await assert.rejects(runner.run(logs, ['--where', 'a | count']), { code: 'usage_wrong' });
  await assert.rejects(runner.run(logs, ['--where', 'a AND']), { code: 'usage_wrong' });
});

it('follows a query', async () => {
  const { stdout, exit, stop } = runner.start(logs, ['-f', '--where', 'status:999', '-n', '1']);
  await runner.write([
    { message: 'other', attributes: { status: 998 } },
    { message: 'mine', attributes: { status: 999 } },
  ]);
  await stdout.shows('mine');
  stop();
  assert.equal(await exit, 0);
  assert(!stdout.text.includes('other'));
});
