// Stands in for the registry of a process: counts, and keeps the gauges so that the ledgers and budgets can be looked
// at at any step.

import assert from 'node:assert/strict';
import type { CounterHandle, GaugeRow, HistogramHandle, Metrics } from '#shared/metrics.ts';

type Registry = Pick<Metrics, 'counter' | 'gauge' | 'histogram'>;

export class SimMetrics implements Registry {
  readonly #gauges = new Map<string, (() => Iterable<GaugeRow>)[]>();
  readonly #counters = new Map<string, CounterHandle[]>();

  counter(name: string): CounterHandle {
    const counter = {
      total: 0,
      add(n: number) {
        counter.total += n;
      },
    };
    const others = this.#counters.get(name);
    if (others) others.push(counter);
    else this.#counters.set(name, [counter]);
    return counter;
  }

  gauge(name: string, _help: string, _labels: readonly string[], collect: () => Iterable<GaugeRow>): void {
    const others = this.#gauges.get(name);
    if (others) others.push(collect);
    else this.#gauges.set(name, [collect]);
  }

  histogram(): HistogramHandle {
    return { observe: () => undefined, exemplify: () => undefined };
  }

  /** The registry as the code under test wants it. */
  get registry(): Metrics {
    return this as unknown as Metrics;
  }

  /** Sum of all rows of a gauge, which is there. */
  value(name: string): number {
    const collectors = this.#gauges.get(name);
    assert(collectors, `there is a gauge ${name}`);
    let sum = 0;
    for (const collect of collectors) for (const [value] of collect()) sum += value;
    return sum;
  }

  /** Of a counter, over all labels. */
  total(name: string): number {
    return (this.#counters.get(name) ?? []).reduce((sum, counter) => sum + counter.total, 0);
  }
}
