// What the lines of one file of a pod carry beside their names, as it is known when they are read.
//
// The first lines of a file wait for it: a second at most, from when they were first asked for, and only while the
// Kubernetes API answers. Then they go without, and later lines have it as soon as it is known.

import type { PodPath } from '../../decode/containers/pod-path.ts';
import type { KnownPods } from './known-pods.ts';
import { type KnownPod, metadataOf } from '../../decode/kubernetes/pod-object.ts';

/** Whom to ask (pod-watch.ts). */
export interface PodSource {
  readonly known: Pick<KnownPods, 'of' | 'before'>;
  readonly isPromising: boolean;
  missed(): void;
}

export const WAIT_MS_MAX = 1000;
const STEP_MS = 10;

export class PodMetadata {
  readonly #source: PodSource;
  readonly #path: PodPath;
  readonly #nowMs: () => number;
  #pod: KnownPod | null = null;
  #packed: Buffer | null = null;
  /** When it was first asked for; null: it is waited for no more. */
  #sinceMs: number | null | undefined;

  constructor(source: PodSource, path: PodPath, nowMs: () => number) {
    this.#source = source;
    this.#path = path;
    this.#nowMs = nowMs;
  }

  /** How long until it is worth a look whether it is known. */
  readonly waitMs = (): number => {
    if (this.#sinceMs === null) return 0;
    const nowMs = this.#nowMs();
    this.#sinceMs ??= nowMs;
    const waitedMs = nowMs - this.#sinceMs;
    const isKnown = this.#source.known.of(this.#path) !== null;
    if (!isKnown && this.#source.isPromising && waitedMs < WAIT_MS_MAX)
      return Math.min(Math.max(STEP_MS, waitedMs), WAIT_MS_MAX - waitedMs);
    this.#sinceMs = null;
    if (!isKnown && this.#source.known.before(this.#path) === null) this.#source.missed();
    return 0;
  };

  /** Null: nothing is known. */
  readonly packed = (): Buffer | null => {
    const { known } = this.#source;
    const pod = known.of(this.#path) ?? known.before(this.#path);
    if (pod !== null && pod !== this.#pod) {
      this.#pod = pod;
      this.#packed = metadataOf(pod, this.#path);
    }
    return this.#packed;
  };
}
