// The log and metrics of the operators' pages: whom they refused, which actions they did, and for whom.

import type { AdminDeed } from '#shared/access-log.ts';
import type { Clock } from '#shared/clock.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';
import { GuardTelemetry } from './guard-telemetry.ts';

export class AdminTelemetry extends GuardTelemetry<'admin'> {
  readonly #actions;

  constructor(metrics: Metrics, log: Log, clock: Clock) {
    super('admin', metrics, log, clock);
    this.#actions = metrics.counter('admin_actions_total', 'Actions that the admin page was asked for, and did.', [
      'action',
      'outcome',
    ]);
  }

  acted(deed: AdminDeed): void {
    this.#actions.add(1, deed.action, deed.outcome);
    this.access.done(deed);
  }
}
