// Adds up what runs had: faults by kind, events by what became of them, and the seeds that broke a promise.

import type { Outcome } from './simulation.ts';

/** As it goes from process to process. */
export interface Packed extends Omit<Outcome, 'faults'> {
  readonly faults: readonly (readonly [string, number])[];
}

export function packed({ faults, ...rest }: Outcome): Packed {
  return { ...rest, faults: [...faults] };
}

export class Tally {
  readonly faults = new Map<string, { strikes: number; seeds: number }>();
  readonly totals = new Map<string, number>();
  readonly failed: Packed[] = [];
  seeds = 0;
  virtualMs = 0;

  add(outcome: Packed): void {
    this.seeds++;
    this.virtualMs += outcome.virtualMs;
    if (outcome.violations.length > 0) this.failed.push(outcome);
    for (const [name, strikes] of outcome.faults) {
      const sum = this.faults.get(name) ?? { strikes: 0, seeds: 0 };
      this.faults.set(name, { strikes: sum.strikes + strikes, seeds: sum.seeds + 1 });
    }
    for (const [name, count] of Object.entries(outcome.totals)) {
      this.totals.set(name, (this.totals.get(name) ?? 0) + count);
    }
  }

  print(): void {
    console.log('fault                      strikes   in seeds');
    for (const [name, { strikes, seeds }] of [...this.faults].sort(([a], [b]) => a.localeCompare(b)))
      console.log(`${name.padEnd(24)} ${String(strikes).padStart(9)} ${String(seeds).padStart(10)}`);
    console.log('');
    for (const [name, count] of this.totals) console.log(`${name.padEnd(24)} ${String(count).padStart(9)}`);
    const violations = this.failed.reduce((sum, outcome) => sum + outcome.violations.length, 0);
    console.log(`${'violations'.padEnd(24)} ${String(violations).padStart(9)}`);
  }
}
