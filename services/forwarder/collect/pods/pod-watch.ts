// Follows what the Kubernetes API says of this node's pods: a list, and from its version on a watch, which is begun
// again from the last version that was heard of, whenever it ends.
//
//   list ─► watch ─► ended, broken, silent ─► watch from the last version
//     ▲        └─ 410 Gone, or refused ─► list
//     └── 429, 5xx, nobody there: later and later, and not before Retry-After
//
// The first list may come from the API's cache, so that a thousand nodes that start at once do not read all pods of the
// cluster from its database. After a 410 the list is of now.
//
// Guarantees: reading logs never waits for it, but for `isPromising`; it ends only when it is closed.

import { abortError } from '#shared/abort.ts';
import { backoffMs, type BackoffLimits } from '#shared/backoff.ts';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import { knownPodOf, type KnownPod, type PodWants } from '../../decode/kubernetes/pod-object.ts';
import { ListItems } from '../../decode/kubernetes/list-items.ts';
import { watchEventOf, WatchLines } from '../../decode/kubernetes/watch-events.ts';
import { answerOf, ApiFailure, type ApiPlace } from './api-answer.ts';
import { type KnownPods, PODS_MAX } from './known-pods.ts';
import type { PodTelemetry } from './telemetry.ts';

export interface PodWatchOptions {
  readonly place: ApiPlace;
  readonly wants: PodWants;
  readonly known: KnownPods;
  readonly clock: Clock;
  readonly telemetry: PodTelemetry;
  /** Who keeps what is known, and is closed with this. */
  readonly kept?: AsyncDisposable;
  /** Gives a number in [0, 1). */
  readonly random: () => number;
  readonly limits?: Partial<WatchLimits>;
}

export interface WatchLimits {
  /** A watch that says nothing for so long is broken: it has a bookmark each minute. */
  readonly silentMs: number;
  /** The same while somebody misses a pod. */
  readonly missedMs: number;
  /** Of a list. */
  readonly idleMs: number;
  readonly totalMs: number;
  /** As long as the API has not answered for less, a pod may be waited for. */
  readonly promisingMs: number;
  readonly backoff: BackoffLimits;
}

const LIMITS: WatchLimits = {
  silentMs: 150_000,
  missedMs: 10_000,
  idleMs: 10_000,
  totalMs: 60_000,
  promisingMs: 1000,
  backoff: { baseMs: 100, capMs: 30_000 },
};
const PAGE_ITEMS = 250;
const PAGES_MAX = 1000;
/** The API ends a watch after so long, and before with some luck: not all of them at once. */
const WATCH_SECONDS = 240;
const RETRY_AFTER_MS_MAX = 300_000;
const GONE = 410;

export class PodWatch {
  readonly known: KnownPods;
  readonly #options: PodWatchOptions;
  readonly #limits: WatchLimits;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  /** Of the last that was heard of; empty: a list is due. */
  #version = '';
  #isCacheGood = true;
  #failures = 0;
  /** Since when it does not answer; null: it does. */
  #failingMs: number | null;
  #heardMs: number;
  #watch: AbortController | null = null;

  constructor(options: PodWatchOptions) {
    this.#options = options;
    this.known = options.known;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#heardMs = options.clock.monotonicMs();
    this.#failingMs = this.#heardMs;
    this.#running = this.#run();
  }

  /** Whether a pod that is not known may be soon. */
  get isPromising(): boolean {
    const { clock } = this.#options;
    return this.#failingMs === null || clock.monotonicMs() - this.#failingMs < this.#limits.promisingMs;
  }

  /** A pod was waited for in vain: the watch may be broken, and nobody have told. */
  missed(): void {
    this.#options.telemetry.missed();
    const silentMs = this.#options.clock.monotonicMs() - this.#heardMs;
    if (silentMs >= this.#limits.missedMs)
      this.#watch?.abort(new Error(`a pod is not known, and nothing came for ${Math.round(silentMs / 1000)} s`));
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the watch is closed'));
    await this.#running;
    await this.#options.kept?.[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      let failure: unknown = null;
      try {
        if (this.#version === '') await this.#list();
        await this.#follow();
      } catch (error) {
        if (signal.aborted) return;
        failure = error;
      }
      await this.#pause(failure);
    }
  }

  /** After a watch that has ended, or something that failed. */
  async #pause(failure: unknown): Promise<void> {
    const { clock, telemetry, random } = this.#options;
    const { signal } = this.#closing;
    let ms = backoffMs(this.#failures, this.#limits.backoff, random);
    this.#failures += 1;
    if (failure !== null && !(failure instanceof ApiFailure && failure.status === GONE)) {
      this.#failingMs ??= clock.monotonicMs();
      telemetry.failed(reasonOf(failure));
    }
    if (failure instanceof ApiFailure) {
      ms = Math.max(ms, Math.min(failure.retryAfterMs, RETRY_AFTER_MS_MAX));
      // What is wrong with the question is its version.
      if (failure.status === GONE || failure.status === 400) {
        this.#version = '';
        this.#isCacheGood = false;
      }
    }
    try {
      await clock.sleep(ms, signal);
    } catch {
      // It is closed.
    }
  }

  async #list(): Promise<void> {
    const pods = new Map<string, KnownPod>();
    let version = '';
    let next = '';
    for (let page = 0; page === 0 || next !== ''; page += 1) {
      if (page === PAGES_MAX) throw new Error('its list does not end');
      const from: Record<string, string> =
        next !== '' ? { continue: next } : this.#isCacheGood ? { resourceVersion: '0' } : {};
      ({ version, next } = await this.#page({ limit: String(PAGE_ITEMS), ...from }, pods));
    }
    if (version === '') throw new Error('its list has no version');
    this.known.replace(pods);
    this.#version = version;
    this.#answers();
  }

  async #page(query: Record<string, string>, pods: Map<string, KnownPod>): Promise<{ version: string; next: string }> {
    const { idleMs, totalMs } = this.#limits;
    const items = new ListItems();
    const limits = { idleMs: () => idleMs, totalMs, signal: this.#closing.signal };
    for await (const chunk of this.#ask(query, limits)) {
      for (const item of items.push(chunk)) {
        const pod = knownPodOf(JSON.parse(item.toString()), this.#options.wants);
        if (pod !== null && pods.size < PODS_MAX) pods.set(pod.uid, pod);
      }
      if (items.isMalformed) break;
    }
    const { metadata } = items.rest() ?? {};
    if (typeof metadata !== 'object' || metadata === null) throw new Error('its list cannot be read');
    const { resourceVersion: version = '', continue: next = '' } = metadata as Record<string, unknown>;
    return { version: String(version), next: String(next) };
  }

  /** From the version on, until it ends. */
  async #follow(): Promise<void> {
    const { clock, telemetry, random } = this.#options;
    const { silentMs, missedMs, idleMs } = this.#limits;
    const seconds = Math.round(WATCH_SECONDS * (1 + random()));
    const lines = new WatchLines();
    this.#watch = new AbortController();
    const { signal } = this.#watch;
    const query = {
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version,
      timeoutSeconds: String(seconds),
    };
    telemetry.watches();
    const beganMs = clock.monotonicMs();
    let isOpen = false;
    const limits = {
      idleMs: () => (isOpen ? silentMs : idleMs),
      totalMs: seconds * 1000 + idleMs,
      signal: AbortSignal.any([signal, this.#closing.signal]),
      opened: () => {
        isOpen = true;
        this.#answers();
      },
    };
    for await (const chunk of this.#ask(query, limits)) {
      const complete = lines.push(chunk);
      if (complete === null) throw new Error('a line of its watch is too long');
      for (const line of complete) this.#event(line);
    }
    if (clock.monotonicMs() - beganMs > missedMs) this.#failures = 0;
  }

  #event(line: string): void {
    const event = watchEventOf(line);
    if (event === null) throw new Error('a line of its watch cannot be read');
    if (event.type === 'error') throw new ApiFailure(event.code, `${event.code} ${event.message}`.slice(0, 500));
    this.#version = event.version;
    this.#failures = 0;
    if (event.type === 'bookmark') return;
    const pod = knownPodOf(event.object, this.#options.wants);
    if (pod === null) return;
    // What is said of one that is removed is what it was at last.
    this.known.put(pod);
    if (event.type === 'removed') this.known.removed(pod.uid);
  }

  #ask(
    query: Record<string, string>,
    limits: { idleMs: () => number; totalMs: number; signal: AbortSignal; opened?: () => void },
  ): AsyncGenerator<Buffer, void> {
    const { place, wants, clock } = this.#options;
    const asked = new URLSearchParams({ fieldSelector: `spec.nodeName=${wants.node}`, ...query });
    const path = `/api/v1/pods?${asked.toString()}`;
    const heard = (): void => {
      this.#heardMs = clock.monotonicMs();
      limits.opened?.();
    };
    if (limits.signal.aborted) throw abortError(limits.signal);
    return answerOf(place, path, { ...limits, clock, heard });
  }

  #answers(): void {
    if (this.#failingMs === null) return;
    this.#failingMs = null;
    this.#options.telemetry.answers(this.known.count);
  }
}
