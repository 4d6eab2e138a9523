// The metrics of several processes on one page. Pure.
//
// Guarantees: a counter of the page never decreases, since what ended workers have counted stays in the sums
// (`countsOf`). Prometheus would take a lower sum for a restart, and count all of it again.

import { type Exemplar, type HeldFamily, type MetricType, type Sample, labelText } from '#shared/exposition.ts';

type Way = 'sum' | 'max' | 'min' | 'each';

/** The metrics of one process; `worker` is its label where a metric makes sense for a single process only. */
export interface ProcessMetrics {
  readonly worker: string;
  readonly families: readonly HeldFamily[];
}

/** Gauges that are not summed. */
const WAYS: Readonly<Record<string, Way>> = {
  sluice_build_info: 'max',
  sluice_config_info: 'max',
  sluice_queue_up: 'min',
  sluice_store_up: 'min',
  sluice_tls_certificate_expiry_seconds: 'min',
  sluice_spool_oldest_seconds: 'max',
  sluice_spools_left: 'max',
  // Two processes may have the gauge of a partition for a moment while it changes its owner.
  sluice_indexer_lag_records: 'max',
  sluice_indexer_oldest_uncommitted_seconds: 'max',
  // Two imbalances could cancel each other out.
  sluice_ledger_imbalance: 'each',
};
const OF_PROCESS = /^(process|nodejs)_/;

interface Merging {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly rows: Map<string, Sample>;
}

/** One family for each name: counters and histograms are summed, gauges are summed or as the table says. */
export function merge(all: readonly ProcessMetrics[]): HeldFamily[] {
  const merged = new Map<string, Merging>();
  for (const { worker, families } of all) {
    for (const { name, type, help, samples } of families) {
      let into = merged.get(name);
      if (!into) merged.set(name, (into = { name, type, help, rows: new Map() }));
      const way = wayOf(name);
      for (const sample of samples) add(into.rows, way === 'each' ? ofWorker(sample, worker) : sample, way);
    }
  }
  return [...merged.values()].map(({ name, type, help, rows }) => ({ name, type, help, samples: [...rows.values()] }));
}

/** What remains of a process that has ended: its counters. */
export function countsOf(families: readonly HeldFamily[]): HeldFamily[] {
  return families.filter(({ name, type }) => (type === 'counter' || type === 'histogram') && wayOf(name) === 'sum');
}

/** Sum of all samples of a family; 0 where there is none. */
export function totalOf(families: readonly HeldFamily[], name: string): number {
  const samples = families.find((family) => family.name === name)?.samples ?? [];
  return samples.reduce((sum, { value }) => sum + value, 0);
}

function wayOf(name: string): Way {
  return OF_PROCESS.test(name) ? 'each' : (WAYS[name] ?? 'sum');
}

function add(rows: Map<string, Sample>, sample: Sample, way: Way): void {
  const key = sample.name + sample.labels;
  const present = rows.get(key);
  if (!present) {
    rows.set(key, sample);
    return;
  }
  const { name, labels } = present;
  const exemplar = newer(present.exemplar, sample.exemplar);
  rows.set(key, { name, labels, value: combined(present.value, sample.value, way), exemplar });
}

function combined(a: number, b: number, way: Way): number {
  if (way === 'max') return Math.max(a, b);
  return way === 'min' ? Math.min(a, b) : a + b;
}

function newer(a: Exemplar | undefined, b: Exemplar | undefined): Exemplar | undefined {
  if (!a || !b) return a ?? b;
  return b.atMs > a.atMs ? b : a;
}

function ofWorker(sample: Sample, worker: string): Sample {
  const own = labelText(['worker'], [worker]);
  return { ...sample, labels: sample.labels === '' ? own : `${own.slice(0, -1)},${sample.labels.slice(1)}` };
}
