// The pods of this node, as far as the Kubernetes API has told. A pod that is gone is remembered for a while: its files
// may be read later than it ends.
//
// Guarantees: bounded, whatever the API says; a pod is found by the path of its logs only if all of its names fit.

import type { Clock } from '#shared/clock.ts';
import type { PodPath } from '../../decode/containers/pod-path.ts';
import { isPathOf, type KnownPod, withIdsBefore } from '../../decode/kubernetes/pod-object.ts';

/** No node has so many. */
const PODS_MAX = 10_000;
const GONE_MS_MAX = 10 * 60_000;
const GONE_MAX = 2000;

export class KnownPods {
  readonly #clock: Clock;
  readonly #pods = new Map<string, KnownPod>();
  /** Since when they are gone, the longest gone first. */
  readonly #gone = new Map<string, number>();
  /** What was known before this start, as long as the API has not listed what there is. */
  #before = new Map<string, KnownPod>();
  /** Grows with each change. */
  changes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Without those that are gone. */
  get count(): number {
    return this.#pods.size - this.#gone.size;
  }

  of(path: PodPath): KnownPod | null {
    const pod = this.#pods.get(path.uid);
    return pod !== undefined && isPathOf(pod, path) ? pod : null;
  }

  /** As it was before this start, where nobody knows more yet. */
  before(path: PodPath): KnownPod | null {
    const pod = this.#before.get(path.uid);
    return pod !== undefined && isPathOf(pod, path) ? pod : null;
  }

  restore(pods: readonly KnownPod[]): void {
    this.#before = new Map(pods.map((pod) => [pod.uid, pod]));
  }

  /** The last that was heard of each, whenever that was. */
  *all(): IterableIterator<KnownPod> {
    yield* this.#pods.values();
    for (const pod of this.#before.values()) if (!this.#pods.has(pod.uid)) yield pod;
  }

  put(pod: KnownPod): void {
    this.changes += 1;
    const before = this.#pods.get(pod.uid);
    if (before === undefined && this.#pods.size >= PODS_MAX + GONE_MAX) return;
    this.#gone.delete(pod.uid);
    this.#pods.set(pod.uid, before === undefined ? pod : withIdsBefore(pod, before));
  }

  removed(uid: string): void {
    if (this.#pods.has(uid) && !this.#gone.has(uid)) this.#gone.set(uid, this.#clock.monotonicMs());
    this.#forget();
  }

  /** These are all that there are. */
  replace(pods: ReadonlyMap<string, KnownPod>): void {
    for (const pod of pods.values()) this.put(pod);
    for (const uid of this.#pods.keys()) if (!pods.has(uid)) this.removed(uid);
    this.#before.clear();
    this.changes += 1;
  }

  #forget(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [uid, goneMs] of this.#gone) {
      if (this.#gone.size <= GONE_MAX && nowMs - goneMs < GONE_MS_MAX) return;
      this.#gone.delete(uid);
      this.#pods.delete(uid);
      this.changes += 1;
    }
  }
}

export { PODS_MAX };
