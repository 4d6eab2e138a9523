// The metrics of a process. Counting is on the hot path, so a counter is a plain number and a histogram a row of
// numbers, which are made into text when somebody scrapes; nothing is computed in between. prom-client gives what is
// known of the process itself: processor, memory, garbage collection, delay of the event loop. Label sets are closed:
// their values come from our tables, never from a sender (but for tenants, see LimitedLabel).

import assert from 'node:assert/strict';
import { collectDefaultMetrics, Registry } from 'prom-client';
import {
  type Exemplar,
  type Exposition,
  exposition,
  type HeldFamily,
  labelText,
  type MetricType,
  numberText,
  type Sample,
} from './exposition.ts';

const PREFIX = 'sluice_';

export interface CounterHandle {
  add(n: number, ...labels: string[]): void;
  /** Sum over all labels. */
  readonly total: number;
}

export interface HistogramHandle {
  observe(value: number, ...labels: string[]): void;
  /** Keeps an observation, which was made before, as the example of its bucket. For histograms without labels. */
  exemplify(value: number, atMs: number, about: Readonly<Record<string, string>>): void;
}

/** One row of a gauge: its value, then its labels in order. */
export type GaugeRow = readonly [value: number, ...labels: string[]];

/** What the reference says of a metric. */
export interface MetricFacts {
  /** With the prefix. */
  readonly name: string;
  readonly type: MetricType;
  readonly labels: readonly string[];
  readonly help: string;
}

interface Collected extends MetricFacts {
  readonly collect: () => Iterable<Sample>;
}

/** The values of one counter, by their labels. */
type Rows = Map<string, { value: number; readonly labels: string }>;

class Tally implements CounterHandle {
  total = 0;
  readonly #rows: Rows;
  readonly #labelNames: readonly string[];

  constructor(rows: Rows, labelNames: readonly string[]) {
    this.#rows = rows;
    this.#labelNames = labelNames;
  }

  add(n: number, ...labels: string[]): void {
    this.total += n;
    const key = labels.length <= 1 ? (labels[0] ?? '') : labels.join('\u0000');
    const row = this.#rows.get(key);
    if (row) row.value += n;
    else this.#rows.set(key, { value: n, labels: labelText(this.#labelNames, labels) });
  }
}

/** The observations under one set of labels. */
class Buckets {
  /** Of each bound, and after the last one; not cumulative. */
  readonly counts: Float64Array;
  readonly exemplars: (Exemplar | undefined)[] = [];
  readonly labels: readonly string[];
  sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[], labels: readonly string[]) {
    this.#bounds = bounds;
    this.labels = labels;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bucket = this.bucketOf(value);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
  }

  bucketOf(value: number): number {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket++;
    return bucket;
  }
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #metrics = new Map<string, Collected>();
  readonly #counters = new Map<string, Rows>();
  readonly #gauges = new Map<string, (() => Iterable<GaugeRow>)[]>();

  /** `ofProcess`: also what is known of the process; once in a process, for it is measured without end. */
  constructor(build: { version: string; command: string }, { ofProcess = true } = {}) {
    if (ofProcess) collectDefaultMetrics({ register: this.#registry });
    this.gauge(
      'build_info',
      'Version of this Sluice, as labels of a constant 1.',
      ['version', 'node', 'command'],
      () => [[1, build.version, process.versions.node, build.command]],
    );
  }

  /** What was registered, in the order of the names. */
  facts(): MetricFacts[] {
    return [...this.#metrics.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** All metrics as of now, in the form that the header `accept` asks for. */
  async render(accept = ''): Promise<Exposition> {
    return exposition(await this.families(), accept);
  }

  /** All metrics as of now, for whoever adds up those of several processes. */
  async families(): Promise<HeldFamily[]> {
    const ofProcess = await this.#registry.getMetricsAsJSON();
    const families: HeldFamily[] = [];
    for (const metric of this.#metrics.values()) {
      const { name, type, help } = metric;
      families.push({ name, type, help, samples: [...metric.collect()] });
    }
    for (const { name, type, help, values } of ofProcess) {
      const samples = values.map(({ value, labels, ...more }): Sample => ({
        name: 'metricName' in more && typeof more.metricName === 'string' ? more.metricName : name,
        labels: labelText(Object.keys(labels), Object.values(labels).map(String)),
        value,
      }));
      families.push({ name, type: typeOf(type), help, samples });
    }
    return families;
  }

  /**
   * `name` without the prefix. Counts from 0; `labels` of each `add` are in the order of `labelNames`.
   * Two stages of one process may count under one name: each has a handle, with a total, of its own.
   */
  counter(name: string, help: string, labelNames: readonly string[] = []): CounterHandle {
    const rows = this.#counters.get(name) ?? this.#registerCounter(name, help, labelNames);
    return new Tally(rows, labelNames);
  }

  #registerCounter(name: string, help: string, labelNames: readonly string[]): Rows {
    const rows: Rows = new Map();
    // Without labels it is 0 from the start, so that there is a rate before the first event.
    if (labelNames.length === 0) rows.set('', { value: 0, labels: '' });
    this.#counters.set(name, rows);
    this.#register('counter', name, help, labelNames, function* collect(fullName) {
      for (const { value, labels } of rows.values()) yield { name: fullName, labels, value };
    });
    return rows;
  }

  /** A gauge whose rows are computed when it is scraped. Two stages may give rows to one name. */
  gauge(name: string, help: string, labelNames: readonly string[], collect: () => Iterable<GaugeRow>): void {
    const others = this.#gauges.get(name);
    if (others) {
      others.push(collect);
      return;
    }
    const collectors = [collect];
    this.#gauges.set(name, collectors);
    this.#register('gauge', name, help, labelNames, function* rowsOf(fullName) {
      for (const rows of collectors) {
        for (const [value, ...labels] of rows()) yield { name: fullName, labels: labelText(labelNames, labels), value };
      }
    });
  }

  /** `bounds`: upper bounds of the buckets, growing. */
  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    labelNames: readonly string[] = [],
  ): HistogramHandle {
    const unlabelled = new Buckets(bounds, []);
    const all = new Map<string, Buckets>();
    if (labelNames.length === 0) all.set('', unlabelled);
    this.#register('histogram', name, help, labelNames, (fullName) => samplesOf(fullName, bounds, labelNames, all));
    return {
      observe(value, ...labels) {
        if (labels.length === 0) {
          unlabelled.observe(value);
          return;
        }
        const key = labels.join('\u0000');
        let buckets = all.get(key);
        if (!buckets) all.set(key, (buckets = new Buckets(bounds, labels)));
        buckets.observe(value);
      },
      exemplify(value, atMs, about) {
        const labels = labelText(Object.keys(about), Object.values(about));
        unlabelled.exemplars[unlabelled.bucketOf(value)] = { labels, value, atMs };
      },
    };
  }

  #register(
    type: MetricType,
    name: string,
    help: string,
    labels: readonly string[],
    collect: (fullName: string) => Iterable<Sample>,
  ): void {
    const fullName = PREFIX + name;
    assert(!this.#metrics.has(fullName), `${name} is one metric`);
    this.#metrics.set(fullName, { name: fullName, type, labels, help, collect: () => collect(fullName) });
  }
}

function* samplesOf(
  name: string,
  bounds: readonly number[],
  labelNames: readonly string[],
  all: ReadonlyMap<string, Buckets>,
): Generator<Sample, void, void> {
  const bucketNames = [...labelNames, 'le'];
  for (const { counts, sum, labels, exemplars } of all.values()) {
    let count = 0;
    for (let i = 0; i < counts.length; i++) {
      count += counts[i] ?? 0;
      const bound = numberText(bounds[i] ?? Number.POSITIVE_INFINITY);
      const bucketLabels = labelText(bucketNames, [...labels, bound]);
      yield { name: `${name}_bucket`, labels: bucketLabels, value: count, exemplar: exemplars[i] };
    }
    const own = labelText(labelNames, labels);
    yield { name: `${name}_sum`, labels: own, value: sum };
    yield { name: `${name}_count`, labels: own, value: count };
  }
}

function typeOf(type: unknown): MetricType {
  return type === 'counter' || type === 'histogram' || type === 'summary' ? type : 'gauge';
}

/** A label whose values come from outside: the first `max` of them have rows of their own, all others share one. */
export class LimitedLabel {
  readonly #known = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  of(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.#max) return '(others)';
    this.#known.add(value);
    return value;
  }
}
