// `sluice search` as its users see it, over an embedded store.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { run } from '../../../services/sluice/commands/search.ts';
import { CommandRunner } from '../command-runner.ts';

let runner: CommandRunner;

before(async () => {
  runner = await CommandRunner.open();
  await runner.write([
    { '@timestamp': '2026-03-01T12:00:01Z', message: 'Connection refused', container: { name: 'web' } },
    { '@timestamp': '2026-03-01T12:00:02Z', message: 'all is well', fluentd: { tag: 'app.a' } },
    {
      '@timestamp': '2026-03-01T12:00:03Z',
      message: 'refused: connection',
      fluentd: { tag: 'app.b' },
      attributes: { big: 1 },
    },
  ]);
});
after(() => runner[Symbol.asyncDispose]());

async function check(args: string[], expected: string): Promise<void> {
  assert.deepEqual(await runner.run(run, args), { code: 0, stdout: expected, stderr: '' }, args.join(' '));
}

const WEB = '2026-03-01T12:00:01Z web | Connection refused\n';
const APP = '2026-03-01T12:00:03Z app.b | refused: connection\n';

it('finds, newest first', async () => {
  await check(['refused'], APP + WEB);
  await check(['connection', 'refused'], APP + WEB);
  await check(['"connection refused"'], WEB);
  await check(['refus*', '-n', '1'], APP);
  await check(['refused', '--limit', 'all'], APP + WEB);
  await check(['refused', '--until', '2026-03-01T12:00:02Z'], WEB);
  await check(['refused', '--since', '2026-03-01T12:00:02Z'], APP);
  await check(['refused', '--name', 'app.*'], APP);
  await check(['nothing'], '');
});

it('gives whole documents', async () => {
  const { stdout } = await runner.run(run, ['well', '--json']);
  const document = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(Object.keys(document).toSorted(), ['@timestamp', 'event', 'fluentd', 'message']);
});

it('says on a terminal that there may be more', async () => {
  const { stderr } = await runner.run(run, ['refused', '-n1'], { isTTY: true });
  assert.match(stderr, /more/);
});

it('wants a query', async () => {
  await assert.rejects(runner.run(run, []), { code: 'usage_wrong' });
  await assert.rejects(runner.run(run, ['x', '-n', 'some']), { code: 'usage_wrong' });
});
