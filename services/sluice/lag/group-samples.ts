// Looks at the lag of all groups of the indexers, again and again: that of the logs first, then those that read topics
// of others (`kafka.sources`), each with its own rate.

import type { GroupLag, LagFailure, LagSource, OtherLags } from '#shared/queue/group-lag.ts';
import { DrainEstimate } from './drain.ts';
import type { LagSample } from './telemetry.ts';

export interface SampledGroups {
  readonly samples: readonly LagSample[];
  /** Of groups that read topics of others. */
  readonly failures: readonly LagFailure[];
}

const NO_OTHERS: OtherLags = { lags: [], failures: [] };

export class GroupSamples {
  readonly #source: LagSource;
  /** By topic. */
  readonly #estimates = new Map<string, DrainEstimate>();

  constructor(source: LagSource) {
    this.#source = source;
  }

  /** Of all groups. Rejects as the source does for the own one. */
  async next(): Promise<SampledGroups> {
    const own = await this.own();
    const { samples, failures } = await this.others();
    return { samples: [own, ...samples], failures };
  }

  async own(): Promise<LagSample> {
    return this.#sampleOf(await this.#source.sample());
  }

  async others(): Promise<SampledGroups> {
    const { lags, failures } = (await this.#source.others?.()) ?? NO_OTHERS;
    return { samples: lags.map((lag) => this.#sampleOf(lag)), failures };
  }

  #sampleOf(lag: GroupLag): LagSample {
    const estimate = this.#estimates.getOrInsertComputed(lag.topic, () => new DrainEstimate());
    return { lag, drainSeconds: estimate.next(lag) };
  }
}
