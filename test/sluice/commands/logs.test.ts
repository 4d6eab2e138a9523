// `sluice logs` as its users see it, over an embedded store.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { run } from '../../../services/sluice/commands/logs.ts';
import { CommandRunner } from '../command-runner.ts';

let runner: CommandRunner;
const at = (second: number) => ({ '@timestamp': `2026-03-01T12:00:0${second}.5Z` });
const web = { container: { id: 'c0ffee00'.repeat(8), name: 'web' } };

before(async () => {
  runner = await CommandRunner.open();
  await runner.write([
    {
      ...at(1),
      ...web,
      message: 'one',
      stream: 'stdout',
      attributes: { level2: 'x', n: 18446744073709551615n.toString() },
    },
    { ...at(2), ...web, message: 'two\n', stream: 'stderr' },
    { ...at(3), ...web, message: 'three\r\nlines\n', stream: 'stdout' },
    { ...at(4), service: { name: 'billing' }, message: 'four' },
    { ...at(5), fluentd: { tag: 'app.x' }, attributes: { code: 7 } },
    {
      '@timestamp': '2026-02-01T12:00:00Z',
      kubernetes: { pod: { name: 'pay-7d9f' } },
      container: { name: 'api' },
      service: { name: 'shop_pay' },
      message: 'of a pod\n',
    },
    { ...at(6), fluentd: { tag: 'evil' }, message: 'a\u001b]0;title\u0007b\u009b2J\ttab\rx\u202e' },
  ]);
});
after(() => runner[Symbol.asyncDispose]());

async function check(
  args: string[],
  expected: string,
  options: { stderr?: string; isTTY?: boolean } = {},
): Promise<void> {
  const result = await runner.run(run, args, { isTTY: options.isTTY ?? false });
  assert.deepEqual(result, { code: 0, stdout: expected, stderr: options.stderr ?? '' }, args.join(' '));
}

it('shows the lines of one container, standard error on standard error', async () => {
  await check(['web'], 'one\nthree\r\nlines\n', { stderr: 'two\n' });
  await check(['/web'], 'one\nthree\r\nlines\n', { stderr: 'two\n' });
  await check(['c0ffee'], 'one\nthree\r\nlines\n', { stderr: 'two\n' });
});

it('shows the lines of a pod, and of a service', async () => {
  await check(['pay-7d9f'], 'of a pod\n');
  await check(['pay-*'], 'of a pod\n');
  await check(['shop_pay'], 'of a pod\n');
});

it("shows of a line in Docker's file what docker logs --details shows", async () => {
  const id = '0a'.repeat(32);
  const log = { file: { path: `/var/lib/docker/containers/${id}/${id}-json.log` } };
  const attrs = { team: "a b!'()*~", 'x.y/z': 'ü=&' };
  await runner.write([{ container: { name: 'filed' }, log, message: 'm', attributes: { status: 500, attrs } }]);
  await check(['filed', '--details'], 'team=a+b%21%27%28%29%2A~,x.y%2Fz=%C3%BC%3D%26 m\n');
});

it('ends lines on a terminal without a carriage return', async () => {
  await check(['web', '-n', '1'], 'three\nlines\n', { isTTY: true });
});

it('shows what came at the end of --until, as Docker does', async () => {
  await check(['billing', '--until', '2026-03-01T12:00:04.5Z'], 'four\n');
  await check(['billing', '--until', '2026-03-01T12:00:04.499999999Z'], '');
});

it('says that a name is nowhere, and only then', async () => {
  for (const args of [['nobody'], ['nob*'], ['nobody', '-n', '0'], ['nobody', '--since', '1h', '--json']]) {
    const { code, stdout, stderr } = await runner.run(run, args);
    assert.equal(code, 1, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /^sluice: Cannot show logs of "nob(ody|\*)": .*-f\n$/);
  }
  await check(['web', '--since', '2026-03-01T13:00:00Z'], '');
  await check(['--since', '2126-03-01T13:00:00Z'], '');
});

it('shows the last lines, in order', async () => {
  await check(['web', '-n', '2'], 'three\r\nlines\n', { stderr: 'two\n' });
  await check(['web', '--tail=1'], 'three\r\nlines\n');
  await check(['web', '-n0'], '');
  await check(['billing', '-n', 'all'], 'four\n');
  for (const all of [['--tail', 'all'], ['--tail=-1'], ['--tail', '-1'], ['-n-1'], ['-n', '-1'], ['--tail=-7']]) {
    await check(['web', ...all], 'one\nthree\r\nlines\n', { stderr: 'two\n' });
  }
});

it('puts names before lines as soon as there is a second', async () => {
  await check(
    ['--since', '2026-03-01T12:00:03Z', '--until', '2026-03-01T12:00:06Z'],
    ['web     | three\r', 'web     | lines', 'billing | four', 'app.x   | {"code":7}', ''].join('\n'),
  );
});

it('shows times and details', async () => {
  await check(['billing', '-t'], '2026-03-01T12:00:04.500000000Z four\n');
  await check(['web', '--details', '--until', '2026-03-01T12:00:02Z'], 'level2=x,n=18446744073709551615 one\n');
});

it('gives whole documents as they are stored', async () => {
  const { stdout, stderr } = await runner.run(run, ['web', '--json']);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(stderr, '');
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['one', 'two\n', 'three\r\nlines\n'],
  );
  assert.deepEqual(lines[0]?.['container'], web.container);
});

it('keeps control characters away from a terminal, and only from there', async () => {
  await check(['evil'], 'a\u001b]0;title\u0007b\u009b2J\ttab\rx\u202e\n');
  await check(['evil'], 'a\\u001b]0;title\\u0007b\\u009b2J\ttab\\u000dx\\u202e\n', { isTTY: true });
  const { stdout } = await runner.run(run, ['evil', '--json'], { isTTY: true });
  assert.equal((JSON.parse(stdout) as { message: string }).message, 'a\u001b]0;title\u0007b\u009b2J\ttab\rx\u202e');
  // oxlint-disable-next-line no-control-regex
  assert.doesNotMatch(stdout, /[\u0000-\u0009\u007f-\u009f\u202e]/);
});

it('says what is wrong with its arguments', async () => {
  const refused = async (args: string[], message: RegExp) =>
    assert.rejects(runner.run(run, args), { code: 'usage_wrong', message });
  await refused(['--tail', 'some'], /--tail "some"/);
  await refused(['--since', 'soon'], /--since "soon"/);
  await refused(['a', 'b'], /one NAME/);
  await assert.rejects(runner.run(run, ['--tial', '5']), { code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' });
});

it('ends when nobody reads any more', async () => {
  await runner.write(Array.from({ length: 3000 }, (_, i) => ({ fluentd: { tag: 'long' }, message: `line ${i}` })));
  const { stdout, exit } = runner.start(run, ['long']);
  stdout.leave();
  assert.equal(await exit, 0);
});

it('follows: shows what there is, then what comes, once each, until it is stopped', async () => {
  const tag = (message: string) => ({ fluentd: { tag: 'followed' }, message });
  const nowMs = Date.now();
  await runner.write([tag('old 1'), tag('old 2'), tag('old 3')], nowMs - 1000);
  const { stdout, stderr, exit, stop } = runner.start(run, ['followed', '-f', '-n', '2']);
  await stdout.shows('old 3');
  await runner.write([tag('new 1')], nowMs);
  await stdout.shows('new 1');
  // Late in both senses: ingested before, and of an earlier time.
  await runner.write([{ ...tag('late'), '@timestamp': new Date(nowMs - 500_000).toISOString() }], nowMs - 2000);
  await stdout.shows('late');
  await runner.write(
    Array.from({ length: 2500 }, (_, i) => tag(`many ${i}.`)),
    nowMs + 1,
  );
  await stdout.shows('many 2499.');
  stop();
  assert.equal(await exit, 0);
  assert.equal(stderr.text, '');
  const many = Array.from({ length: 2500 }, (_, i) => `many ${i}.`);
  assert.deepEqual(stdout.text.trimEnd().split('\n'), ['old 2', 'old 3', 'new 1', 'late', ...many]);
});

it('follows what does not exist yet', async () => {
  const { stdout, stderr, exit, stop } = runner.start(run, ['unborn', '-f']);
  await stderr.shows('Nothing of "unborn"');
  await runner.write([{ fluentd: { tag: 'unborn' }, message: 'born' }], Date.now() - 3_600_000);
  await stdout.shows('born\n');
  stop();
  assert.equal(await exit, 0);
});

it('follows to the end of the time asked for', async () => {
  await check(['web', '-f', '--until', '2026-03-01T12:00:02Z'], 'one\n');
});
