// What the Kubernetes API last said of this node's pods, kept in the data folder: so that lines have it, too, where
// Sluice is started again while the API does not answer.
//
//   collect/pods.json   {"for": …, "pods": [{namespace, name, uid, …}, …]}
//
// Guarantees: written beside and renamed, so that it is whole; a file that is none, or was written for another node or
// other labels, says nothing; writing takes a hundredth of the time at most. What it costs to lose it: those of the
// last ten seconds are not there after a kill.

import { readFileSync, statSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import { makeFolder } from '#shared/sqlite/database.ts';
import { podOfText, textOfPod } from '../../decode/kubernetes/kept-pod.ts';
import type { KnownPod } from '../../decode/kubernetes/pod-object.ts';
import { type KnownPods, PODS_MAX } from './known-pods.ts';
import type { PodTelemetry } from './telemetry.ts';

const SAVE_EACH_MS = 10_000;
/** Writing takes one part in so many of the time. */
const PAUSE_RATIO = 100;
const FILE_BYTES_MAX = 64 * 1024 * 1024;

export interface KeptPodsOptions {
  readonly dataDir: string;
  /** What was wanted of the pods: what was kept for anything else is not theirs. */
  readonly wanted: string;
  readonly known: KnownPods;
  readonly clock: Clock;
  readonly telemetry: Pick<PodTelemetry, 'notKept'>;
}

export class KeptPods implements AsyncDisposable {
  readonly #options: KeptPodsOptions;
  readonly #file: string;
  /** Of what is known: how many changes are saved. */
  #saved = 0;
  #saving: Promise<void> = Promise.resolve();
  #timer: Disposable | null = null;
  #isClosed = false;

  constructor(options: KeptPodsOptions) {
    this.#options = options;
    this.#file = join(options.dataDir, 'collect', 'pods.json');
    options.known.restore(this.#read());
    this.#schedule(SAVE_EACH_MS);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#timer?.[Symbol.dispose]();
    await this.#saving;
    await this.#save();
  }

  #schedule(ms: number): void {
    this.#timer = this.#options.clock.timer(ms, () => {
      this.#saving = this.#saveAgain();
    });
  }

  async #saveAgain(): Promise<void> {
    const beganMs = performance.now();
    await this.#save();
    if (!this.#isClosed) this.#schedule(Math.max(SAVE_EACH_MS, PAUSE_RATIO * (performance.now() - beganMs)));
  }

  async #save(): Promise<void> {
    const { known, wanted, dataDir, telemetry } = this.#options;
    const { changes } = known;
    // What was restored is there still.
    if (changes === this.#saved) return;
    try {
      const pods = [...known.all()].map(textOfPod);
      makeFolder(join(dataDir, 'collect'));
      await writeFile(`${this.#file}.new`, `{"for":${JSON.stringify(wanted)},"pods":[${pods.join(',\n')}]}\n`, {
        mode: 0o600,
      });
      await rename(`${this.#file}.new`, this.#file);
      this.#saved = changes;
    } catch (error) {
      telemetry.notKept(reasonOf(error));
    }
  }

  #read(): KnownPod[] {
    try {
      if (statSync(this.#file).size > FILE_BYTES_MAX) return [];
      const kept = JSON.parse(readFileSync(this.#file, 'utf8')) as { for?: unknown; pods?: unknown };
      if (kept.for !== this.#options.wanted || !Array.isArray(kept.pods)) return [];
      return kept.pods.slice(0, PODS_MAX).flatMap((pod) => podOfText(pod) ?? []);
    } catch {
      // There is none, or it is none.
      return [];
    }
  }
}
