// The registry of a process, over prom-client. Counting is on the hot path, so a counter here is a plain number that prom-client
// reads when it is scraped. Label sets are closed: a label's values come from our tables, never from a sender.

import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const PREFIX = 'sluice_';

export interface CounterHandle {
  add(n: number, ...labels: string[]): void;
  /** Sum over all labels. */
  readonly total: number;
}

export interface HistogramHandle {
  observe(value: number, ...labels: string[]): void;
}

/** One row of a gauge: its value, then its labels in order. */
export type GaugeRow = readonly [value: number, ...labels: string[]];

/** The values of one counter, by their labels. */
type Rows = Map<string, { value: number; labels: readonly string[] }>;

class Tally implements CounterHandle {
  total = 0;
  readonly #rows: Rows;

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  add(n: number, ...labels: string[]): void {
    this.total += n;
    const key = labels.length <= 1 ? (labels[0] ?? '') : labels.join('\u0000');
    const row = this.#rows.get(key);
    if (row) row.value += n;
    else this.#rows.set(key, { value: n, labels });
  }
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Rows>();
  readonly #gauges = new Map<string, (() => Iterable<GaugeRow>)[]>();

  constructor(build: { version: string; command: string }) {
    collectDefaultMetrics({ register: this.#registry });
    this.gauge(
      'build_info',
      'Version of this Sluice, as labels of a constant 1.',
      ['version', 'node', 'command'],
      () => [[1, build.version, process.versions.node, build.command]],
    );
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  render(): Promise<string> {
    return this.#registry.metrics();
  }

  /**
   * `name` without the prefix. Counts from 0; `labels` of each `add` are in the order of `labelNames`.
   * Two stages of one process may count under one name: each has a handle, with a total, of its own.
   */
  counter(name: string, help: string, labelNames: readonly string[] = []): CounterHandle {
    const rows = this.#counters.get(name) ?? this.#registerCounter(name, help, labelNames);
    return new Tally(rows);
  }

  #registerCounter(name: string, help: string, labelNames: readonly string[]): Rows {
    const rows: Rows = new Map();
    // Without labels it is 0 from the start, so that there is a rate before the first event.
    if (labelNames.length === 0) rows.set('', { value: 0, labels: [] });
    this.#counters.set(name, rows);
    new Counter({
      name: PREFIX + name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const { value, labels } of rows.values()) this.inc(labelled(labelNames, labels), value);
      },
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
    new Gauge({
      name: PREFIX + name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const rows of collectors)
          for (const [value, ...labels] of rows()) this.set(labelled(labelNames, labels), value);
      },
    });
  }

  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    labelNames: readonly string[] = [],
  ): HistogramHandle {
    const histogram = new Histogram({
      name: PREFIX + name,
      help,
      buckets: [...bounds],
      labelNames: [...labelNames],
      registers: [this.#registry],
    });
    if (labelNames.length === 0) return { observe: (value) => histogram.observe(value) };
    return { observe: (value, ...labels) => histogram.observe(labelled(labelNames, labels), value) };
  }
}

function labelled(names: readonly string[], values: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  names.forEach((name, i) => (labels[name] = values[i] ?? ''));
  return labels;
}
