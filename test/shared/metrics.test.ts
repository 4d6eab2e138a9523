import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { LimitedLabel, Metrics } from '#shared/metrics.ts';

const own = (page: string): string[] =>
  page.split('\n').filter((line) => line.includes('sluice_') && !line.includes('build'));

function filled(): Metrics {
  const metrics = new Metrics({ version: '1.2.3', command: 'test' });
  const plain = metrics.counter('plain_total', 'No labels.');
  const labelled = metrics.counter('labelled_total', 'Two\nlines, a \\.', ['a', 'b']);
  labelled.add(2, 'x', 'with "quotes", \\ and\nlines');
  labelled.add(3, 'x', 'y');
  assert.deepEqual([plain.total, labelled.total], [0, 5]);
  metrics.gauge('level', 'A gauge.', ['of'], () => [[1.5, 'one']]);
  metrics.gauge('level', 'A gauge.', ['of'], () => [[Number.POSITIVE_INFINITY, 'two']]);
  const seconds = metrics.histogram('wait_seconds', 'A histogram.', [0.1, 1]);
  for (const value of [0.1, 0.5, 0.2, 7]) seconds.observe(value);
  seconds.exemplify(0.5, 1_767_323_045_678, { partition: '3' });
  return metrics;
}

test('the text form', async () => {
  const { contentType, body } = await filled().render('*/*');
  assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8');
  assert.deepEqual(own(body), [
    '# HELP sluice_plain_total No labels.',
    '# TYPE sluice_plain_total counter',
    'sluice_plain_total 0',
    '# HELP sluice_labelled_total Two\\nlines, a \\\\.',
    '# TYPE sluice_labelled_total counter',
    'sluice_labelled_total{a="x",b="with \\"quotes\\", \\\\ and\\nlines"} 2',
    'sluice_labelled_total{a="x",b="y"} 3',
    '# HELP sluice_level A gauge.',
    '# TYPE sluice_level gauge',
    'sluice_level{of="one"} 1.5',
    'sluice_level{of="two"} +Inf',
    '# HELP sluice_wait_seconds A histogram.',
    '# TYPE sluice_wait_seconds histogram',
    'sluice_wait_seconds_bucket{le="0.1"} 1',
    'sluice_wait_seconds_bucket{le="1"} 3',
    'sluice_wait_seconds_bucket{le="+Inf"} 4',
    'sluice_wait_seconds_sum 7.8',
    'sluice_wait_seconds_count 4',
  ]);
  assert(body.includes('\nprocess_cpu_seconds_total ') && body.includes('nodejs_eventloop_lag_p99_seconds '));
});

test('OpenMetrics, for whoever names it, with exemplars and an end', async () => {
  const metrics = filled();
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
  const { contentType, body } = await metrics.render(accept);
  assert.equal(contentType, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  assert(body.includes('# TYPE sluice_labelled counter\nsluice_labelled_total{a="x"'));
  assert(body.includes('sluice_wait_seconds_bucket{le="1"} 3 # {partition="3"} 0.5 1767323045.678\n'));
  assert(body.endsWith('\n# EOF\n'));
  // One scraper's form is not the next one's.
  assert((await metrics.render()).body.includes('# TYPE sluice_labelled_total counter'));
  assert.match((await metrics.render('application/openmetrics-text;q=0,text/plain')).contentType, /^text\/plain/);
});

test(
  'promtool reads it',
  { skip: spawnSync('promtool', ['--version']).error ? 'SKIPPED: no promtool' : false },
  async () => {
    const { body } = await filled().render();
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    // 1 is unreadable; 3 is a matter of taste, such as a counter that is called like a gauge.
    assert(status === 0 || status === 3, stdout + stderr);
    assert(!`${stdout}${stderr}`.includes('sluice_'), stdout + stderr);
  },
);

test('a name is one metric, and facts tell of all', () => {
  const metrics = filled();
  assert.throws(() => metrics.histogram('level', 'Again.', [1]), /level is one metric/);
  assert.deepEqual(
    metrics.facts().map(({ name, type, labels }) => [name, type, labels.join()]),
    [
      ['sluice_build_info', 'gauge', 'version,node,command'],
      ['sluice_labelled_total', 'counter', 'a,b'],
      ['sluice_level', 'gauge', 'of'],
      ['sluice_plain_total', 'counter', ''],
      ['sluice_wait_seconds', 'histogram', ''],
    ],
  );
});

test('a histogram with labels', async () => {
  const metrics = new Metrics({ version: '', command: '' });
  const seconds = metrics.histogram('by_seconds', 'By kind.', [1], ['kind']);
  seconds.observe(0.5, 'a');
  seconds.observe(2, 'a');
  seconds.observe(2, 'b');
  const lines = own((await metrics.render()).body).slice(2);
  assert.deepEqual(lines, [
    'sluice_by_seconds_bucket{kind="a",le="1"} 1',
    'sluice_by_seconds_bucket{kind="a",le="+Inf"} 2',
    'sluice_by_seconds_sum{kind="a"} 2.5',
    'sluice_by_seconds_count{kind="a"} 2',
    'sluice_by_seconds_bucket{kind="b",le="1"} 0',
    'sluice_by_seconds_bucket{kind="b",le="+Inf"} 1',
    'sluice_by_seconds_sum{kind="b"} 2',
    'sluice_by_seconds_count{kind="b"} 1',
  ]);
});

test('a label from outside has so many values and no more', () => {
  const tenants = new LimitedLabel(2);
  assert.deepEqual(
    ['a', 'b', 'c', 'a', 'd'].map((tenant) => tenants.of(tenant)),
    ['a', 'b', '(others)', 'a', '(others)'],
  );
});
