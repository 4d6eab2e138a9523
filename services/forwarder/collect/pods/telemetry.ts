// What is reported of the Kubernetes API, as far as logs of pods need it.

import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';

export class PodTelemetry {
  readonly #log: Log;
  readonly #failures;
  readonly #watches;
  readonly #missed;
  #isAnswering = false;
  #isTold = false;
  #isKeptTold = false;

  constructor(metrics: Metrics, log: Log, known: () => number) {
    this.#log = log;
    this.#failures = metrics.counter(
      'collect_pods_api_failures_total',
      'Times that the Kubernetes API could not be asked for pods, or its answer broke off; it is asked again.',
    );
    this.#watches = metrics.counter(
      'collect_pods_watches_total',
      'Times that a watch of this node’s pods was begun: every few minutes, and whenever one breaks off.',
    );
    this.#missed = metrics.counter(
      'collect_pods_missed_total',
      'Files whose first lines went on after a second without the labels and the owner of their pod.',
    );
    metrics.gauge('collect_pods_api_up', 'Whether the Kubernetes API answers: 1 or 0.', [], () => [
      [this.#isAnswering ? 1 : 0],
    ]);
    metrics.gauge('collect_pods_known', 'Pods of this node that the Kubernetes API has told of.', [], () => [
      [known()],
    ]);
  }

  watches(): void {
    this.#watches.add(1);
  }

  missed(): void {
    this.#missed.add(1);
  }

  /** Told once, until it answers again. */
  failed(reason: string): void {
    this.#failures.add(1);
    this.#isAnswering = false;
    if (this.#isTold) return;
    this.#isTold = true;
    this.#log.warn('kubernetes_api_unavailable', {
      reason,
      effect: 'pods that are not known yet go without their labels and owners',
    });
  }

  answers(pods: number): void {
    this.#isAnswering = true;
    this.#isTold = false;
    this.#log.info('kubernetes_api_answers', { pods });
  }

  /** Told once, until the process ends. */
  notKept(reason: string): void {
    if (this.#isKeptTold) return;
    this.#isKeptTold = true;
    this.#log.warn('kubernetes_pods_not_kept', {
      reason,
      effect: 'they are not known after a restart until the Kubernetes API answers',
    });
  }

  /** It is not asked. */
  unused(reason: string): void {
    this.#log.warn('kubernetes_api_unused', { reason, effect: 'lines have the names of their path alone' });
  }
}
