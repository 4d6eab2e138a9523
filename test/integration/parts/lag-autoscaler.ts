// An autoscaler for tests, which decides by what KEDA 2.18 decides by: for each partition what the group has committed
// and where it ends, read from the brokers; and the settings of a trigger as they are in infra/k8s. It starts and stops
// processes instead of pods, and is smaller and faster: a second of a manifest is 150 ms here, and ten records of its
// threshold are one.
//
// Followed: pkg/scalers/kafka_scaler.go (getLagForPartition, getTotalLag), pkg/scaling/executor
// (scale_scaledobjects.go, scale_jobs.go), https://github.com/kedacore/keda/tree/v2.18.1, and the rule of Kubernetes'
// horizontal autoscaler for average values.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import type { Config } from '#shared/config/settings.ts';
import { type PartitionOffsets, readPartitionOffsets } from '#shared/queue/kafka/broker/group-offsets.ts';
import { createClient } from '#shared/queue/kafka/kafkajs/client.ts';
import type { Finished, SluiceProcess } from './sluice-process.ts';

const SECOND_MS = 150;
const LAG_SHARE = 0.1;
/** Kubernetes takes 300 s, unless told otherwise; with less the test sees more stops under load. */
const STABILIZATION_SECONDS = 20;

export interface Trigger {
  readonly lagThreshold: number;
  readonly activationLagThreshold: number;
  readonly excludePersistentLag: boolean;
  readonly limitToPartitionsWithLag: boolean;
}

export interface ScaleSettings {
  readonly trigger: Trigger;
  readonly pollingInterval: number;
  readonly maxReplicaCount: number;
  readonly cooldownPeriod: number;
  /** Of the container, for manifests that hold one. */
  readonly args: readonly string[];
}

/** Reads a ScaledObject or a ScaledJob of infra/k8s. */
export function scaleSettings(path: string): ScaleSettings {
  const { spec } = parse(readFileSync(join(import.meta.dirname, '../../../infra/k8s', path), 'utf8'));
  const { metadata } = spec.triggers[0];
  assert.equal(spec.triggers[0].type, 'kafka');
  assert.equal(spec.minReplicaCount ?? 0, 0);
  return {
    trigger: {
      lagThreshold: Number(metadata.lagThreshold) * LAG_SHARE,
      activationLagThreshold: Number(metadata.activationLagThreshold),
      excludePersistentLag: metadata.excludePersistentLag === 'true',
      limitToPartitionsWithLag: metadata.limitToPartitionsWithLag === 'true',
    },
    pollingInterval: spec.pollingInterval,
    maxReplicaCount: spec.maxReplicaCount,
    cooldownPeriod: spec.cooldownPeriod ?? 300,
    args: spec.jobTargetRef?.template.spec.containers[0].args ?? [],
  };
}

interface Look {
  /** Records that are not committed. */
  readonly lag: number;
  /** How many the lag asks for. */
  readonly replicas: number;
  /** Whether there is anything to do at all. */
  readonly isActive: boolean;
}

/** What KEDA's scaler makes of the offsets; it remembers those of its last look. */
export class KafkaScaler {
  readonly #trigger: Trigger;
  readonly #committedBefore = new Map<number, number>();

  constructor(trigger: Trigger) {
    this.#trigger = trigger;
  }

  look(stands: readonly Pick<PartitionOffsets, 'partition' | 'committed' | 'high'>[]): Look {
    const { lagThreshold, activationLagThreshold, limitToPartitionsWithLag } = this.#trigger;
    let lag = 0;
    let lagWithPersistent = 0;
    let partitionsWithLag = 0;
    for (const { partition, committed, high } of stands) {
      const ofPartition = high - (committed ?? 0);
      lagWithPersistent += ofPartition;
      if (this.#isPersistent(partition, committed)) continue;
      lag += ofPartition;
      if (ofPartition > 0) partitionsWithLag++;
    }
    const most = limitToPartitionsWithLag ? partitionsWithLag : stands.length;
    if (Math.floor(lag / lagThreshold) > most) lag = most * lagThreshold;
    return {
      lag: lagWithPersistent,
      replicas: Math.ceil(lag / lagThreshold),
      isActive: lagWithPersistent > activationLagThreshold,
    };
  }

  #isPersistent(partition: number, committed: number | null): boolean {
    if (!this.#trigger.excludePersistentLag || committed === null) return false;
    const isSame = this.#committedBefore.get(partition) === committed;
    this.#committedBefore.set(partition, committed);
    return isSame;
  }
}

export interface AutoscalerOptions {
  readonly settings: ScaleSettings;
  /** Topic and group that are looked at. */
  readonly config: Config;
  readonly start: () => Promise<SluiceProcess>;
}

/** Looks, and starts and stops processes, until it is told to stop. */
export abstract class Autoscaler implements AsyncDisposable {
  /** How those ended that ended. */
  readonly ended: Finished[] = [];
  /** The most that were wanted at once, and how many were started in all. */
  most = 0;
  started = 0;
  protected readonly settings: ScaleSettings;
  readonly #options: AutoscalerOptions;
  /** Those that were told to end are not among the wanted. */
  readonly #wanted = new Set<SluiceProcess>();
  readonly #alive = new Set<SluiceProcess>();
  #lag = 0;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;

  constructor(options: AutoscalerOptions) {
    this.settings = options.settings;
    this.#options = options;
    this.#loop = this.#run();
  }

  /** Processes that were not told to end. */
  get count(): number {
    return this.#wanted.size;
  }

  /** Processes that have not ended. */
  get alive(): number {
    return this.#alive.size;
  }

  /** Records that were not committed at the last look. */
  get lag(): number {
    return this.#lag;
  }

  /** Waits for it to be so; rejects with what the autoscaler failed with. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await Promise.race([delay(20), this.#loop]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop.catch(() => undefined);
    await Promise.all(Array.from(this.#alive, (process) => process.kill()));
  }

  protected abstract decide(seen: Look): Promise<void>;

  protected async add(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const process = await this.#options.start();
      this.#wanted.add(process);
      this.#alive.add(process);
      void process.finished.then((finished) => {
        this.#wanted.delete(process);
        this.#alive.delete(process);
        this.ended.push(finished);
      });
      this.started++;
    }
    this.most = Math.max(this.most, this.#wanted.size);
  }

  /** The youngest first, as a ReplicaSet does. */
  protected remove(count: number): void {
    for (const process of [...this.#wanted].toReversed().slice(0, count)) {
      this.#wanted.delete(process);
      void process.stop();
    }
  }

  async #run(): Promise<void> {
    const { config, settings } = this.#options;
    const scaler = new KafkaScaler(settings.trigger);
    const admin = createClient(config, { debug: () => undefined }).admin();
    await admin.connect();
    try {
      while (!this.#stop.signal.aborted) {
        const seen = scaler.look(await readPartitionOffsets(admin, config['kafka.group'], config['kafka.topic']));
        this.#lag = seen.lag;
        await this.decide(seen);
        await delay(settings.pollingInterval * SECOND_MS, undefined, { signal: this.#stop.signal }).catch(
          () => undefined,
        );
      }
    } finally {
      await admin.disconnect();
    }
  }
}

/** A ScaledObject: long-running processes, which are stopped by SIGTERM. */
export class ScaledProcesses extends Autoscaler {
  #asked: { readonly atMs: number; readonly replicas: number }[] = [];
  #activeMs = 0;

  protected override async decide({ replicas, isActive }: Look): Promise<void> {
    const { maxReplicaCount, cooldownPeriod } = this.settings;
    const nowMs = performance.now();
    if (isActive) this.#activeMs = nowMs;
    if (this.count === 0) {
      this.#asked = [];
      if (isActive) await this.add(1);
      return;
    }
    if (nowMs - this.#activeMs > cooldownPeriod * SECOND_MS) return this.remove(this.count);
    this.#asked.push({ atMs: nowMs, replicas: Math.max(1, Math.min(replicas, maxReplicaCount)) });
    this.#asked = this.#asked.filter(({ atMs }) => nowMs - atMs <= STABILIZATION_SECONDS * SECOND_MS);
    const target = Math.max(...this.#asked.map((asked) => asked.replicas));
    if (target > this.count) await this.add(target - this.count);
    else this.remove(this.count - target);
  }
}

/** A ScaledJob with the default strategy: jobs, which end by themselves. */
export class ScaledJobs extends Autoscaler {
  protected override async decide({ replicas, isActive }: Look): Promise<void> {
    if (isActive) await this.add(Math.max(0, Math.min(replicas, this.settings.maxReplicaCount) - this.count));
  }
}
