// The metrics of several workers on one page.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type HeldFamily, exposition } from '#shared/exposition.ts';
import { Metrics } from '#shared/metrics.ts';
import { countsOf, merge, totalOf } from '../../../services/sluice/workers/merge.ts';

/** What a worker tells that has taken so many events by an input; `ackMs`: of its chunks. */
async function told(input: string, events: number, ackMs: readonly number[] = []): Promise<HeldFamily[]> {
  const metrics = new Metrics({ version: '1', command: 'forwarder' }, { ofProcess: false });
  metrics.counter('events_received_total', 'Events.', ['input']).add(events, input);
  const acks = metrics.histogram('ack_seconds', 'Acks.', [0.01, 0.1]);
  for (const ms of ackMs) {
    acks.observe(ms / 1000);
    acks.exemplify(ms / 1000, 1000 * ms, { chunk: `of-${ms}-ms` });
  }
  metrics.gauge('events_inflight', 'In flight.', ['stage'], () => [[events / 10, 'edge']]);
  metrics.gauge('queue_up', 'Queue.', [], () => [[events === 20 ? 0 : 1]]);
  metrics.gauge('spool_oldest_seconds', 'Oldest.', [], () => [[events]]);
  metrics.gauge('ledger_imbalance', 'Imbalance.', ['stage'], () => [[events - 30, 'edge']]);
  return metrics.families();
}

/** Lines of the page, without what is said about the families. */
function linesOf(families: readonly HeldFamily[], accept = ''): string[] {
  return exposition(families, accept)
    .body.split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
}

suite('metrics of several workers', () => {
  test('counters, histograms and most gauges are added; the others told as they mean something', async () => {
    const merged = merge([
      { worker: '1', families: await told('forward', 20, [5, 50]) },
      { worker: '2', families: await told('forward', 40, [500]) },
      { worker: '3', families: await told('http', 7) },
    ]);
    const lines = linesOf(merged).filter((line) => !line.includes('build_info'));
    assert.deepEqual(lines, [
      'sluice_events_received_total{input="forward"} 60',
      'sluice_events_received_total{input="http"} 7',
      'sluice_ack_seconds_bucket{le="0.01"} 1',
      'sluice_ack_seconds_bucket{le="0.1"} 2',
      'sluice_ack_seconds_bucket{le="+Inf"} 3',
      'sluice_ack_seconds_sum 0.555',
      'sluice_ack_seconds_count 3',
      'sluice_events_inflight{stage="edge"} 6.7',
      'sluice_queue_up 0',
      'sluice_spool_oldest_seconds 40',
      'sluice_ledger_imbalance{worker="1",stage="edge"} -10',
      'sluice_ledger_imbalance{worker="2",stage="edge"} 10',
      'sluice_ledger_imbalance{worker="3",stage="edge"} -23',
    ]);
    const info = linesOf(merged).filter((line) => line.includes('build_info'));
    assert.equal(info.length, 1);
    assert.match(info[0] ?? '', / 1$/);
    assert.equal(totalOf(merged, 'sluice_events_received_total'), 67);
    assert.equal(totalOf(merged, 'sluice_of_nobody'), 0);
  });

  test('of two examples of a bucket the newer one is told', async () => {
    const families = merge([
      { worker: '1', families: await told('forward', 1, [60]) },
      { worker: '2', families: await told('forward', 1, [50]) },
    ]);
    const lines = linesOf(families, 'application/openmetrics-text');
    assert(lines.includes('sluice_ack_seconds_bucket{le="0.1"} 2 # {chunk="of-60-ms"} 0.06 60'), lines.join('\n'));
  });

  test('of a worker that has ended stays what it counted, and nothing else', async () => {
    const left = countsOf(await told('forward', 20, [5]));
    assert.deepEqual(
      left.map(({ name }) => name),
      ['sluice_events_received_total', 'sluice_ack_seconds'],
    );
    const sums = merge([
      { worker: '', families: left },
      { worker: '1', families: await told('forward', 1) },
    ]);
    assert.equal(totalOf(sums, 'sluice_events_received_total'), 21);
  });

  test('metrics of a process are told of each', async () => {
    const cpu = (value: number): HeldFamily => ({
      name: 'process_cpu_seconds_total',
      type: 'counter',
      help: 'Time.',
      samples: [{ name: 'process_cpu_seconds_total', labels: '', value }],
    });
    const merged = merge([
      { worker: 'primary', families: [cpu(1)] },
      { worker: '1', families: [cpu(9)] },
    ]);
    assert.deepEqual(linesOf(merged), [
      'process_cpu_seconds_total{worker="primary"} 1',
      'process_cpu_seconds_total{worker="1"} 9',
    ]);
    assert.deepEqual(countsOf(merged), []);
  });
});
