// What the operators' pages tell of themselves: whom they refused, and what was done there and for whom.

import type { AuthFailure, ConnectionEnd } from '#forwarder/telemetry.ts';
import { AccessLog, type AdminDeed } from '#shared/access-log.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';

type AdminRefusal = AuthFailure | ConnectionEnd | 'origin_refused' | 'other_machine';

export class AdminTelemetry implements Disposable {
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #access: AccessLog;
  readonly #refusals;
  readonly #actions;

  constructor(metrics: Metrics, log: Log, clock: Clock) {
    this.#log = log;
    this.#metrics = metrics;
    this.#access = new AccessLog(log, clock);
    this.#refusals = metrics.counter('admin_refusals_total', 'Connections and requests that the admin page refused.', [
      'reason',
    ]);
    this.#actions = metrics.counter('admin_actions_total', 'Actions that the admin page was asked for, and did.', [
      'action',
      'outcome',
    ]);
  }

  authFailed(input: 'admin', reason: AdminRefusal, peer: string | null, detail?: string): void {
    this.#refusals.add(1, reason);
    this.#access.refused({ input, reason, peer, detail });
  }

  connectionEnded(input: 'admin', reason: ConnectionEnd, refusedPeer: string): void {
    this.authFailed(input, reason, refusedPeer);
  }

  acted(deed: AdminDeed): void {
    this.#actions.add(1, deed.action, deed.outcome);
    this.#access.done(deed);
  }

  /** The page's certificate; `expiresMs` since the epoch, read anew at each scrape. */
  watchCertificate(expiresMs: () => number): void {
    const help = 'When the certificate of the admin page expires, in Unix seconds.';
    this.#metrics.gauge('admin_certificate_expiry_seconds', help, [], () => [[expiresMs() / 1000]]);
  }

  exposed(input: string, address: string): void {
    this.#log.warn('input_exposed', { input, address, what: 'anyone who reaches it can use it (SLUICE_INSECURE)' });
  }

  tokensReloaded(count: number): void {
    this.#log.info('tokens_reloaded', { input: 'admin', tokens: count });
  }

  tokensReloadFailed(error: unknown): void {
    const what = reasonOf(error);
    this.#log.error('tokens_unusable', { input: 'admin', what, effect: 'those before stay in force' });
  }

  tlsReloaded(expiresMs: number): void {
    this.#log.info('certificate_reloaded', { input: 'admin', expires: new Date(expiresMs).toISOString() });
  }

  tlsReloadFailed(error: unknown): void {
    const what = reasonOf(error);
    this.#log.error('certificate_unusable', { input: 'admin', what, effect: 'the one before stays in force' });
  }

  [Symbol.dispose](): void {
    this.#access[Symbol.dispose]();
  }
}
