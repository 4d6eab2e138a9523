// Whether the Kubernetes API is asked for this node's pods, and by whom: where there is a service account, unless the
// settings say otherwise.

import { existsSync } from 'node:fs';
import type { Clock } from '#shared/clock.ts';
import type { KubernetesRule } from '#shared/config/settings/container-rules.ts';
import { matcherOfTexts } from '../../decode/files/path-pattern.ts';
import { type ApiPlace, tokenFile } from './api-answer.ts';
import { KeptPods } from './kept-pods.ts';
import { KnownPods } from './known-pods.ts';
import type { PodTelemetry } from './telemetry.ts';
import { PodWatch } from './pod-watch.ts';

export interface OpenPodsOptions {
  readonly rule: KubernetesRule;
  /** As the API calls it. */
  readonly node: string;
  /** Null: this is no pod. */
  readonly place: ApiPlace | null;
  readonly clock: Clock;
  /** Of all data of the process. */
  readonly dataDir: string;
  /** `known`: how many pods are. */
  readonly newTelemetry: (known: () => number) => PodTelemetry;
}

/** Null: the paths are all that is known. */
export function openPods({ rule, node, place, clock, dataDir, newTelemetry }: OpenPodsOptions): PodWatch | null {
  const { metadata = 'auto', labels, annotations = [] } = rule;
  if (metadata === 'path') return null;
  const known = new KnownPods(clock);
  const telemetry = newTelemetry(() => known.count);
  const hasAccount = place !== null && existsSync(tokenFile(place));
  if (place === null || (metadata === 'auto' && !hasAccount)) {
    const reason = place === null ? 'KUBERNETES_SERVICE_HOST is not set' : 'there is no service account';
    if (metadata === 'api') telemetry.unused(reason);
    return null;
  }
  const wants = { node, isLabel: anyOf(labels ?? ['*']), isAnnotation: anyOf(annotations) };
  const wanted = JSON.stringify([node, labels, annotations]);
  const kept = new KeptPods({ dataDir, wanted, known, clock, telemetry });
  return new PodWatch({ place, wants, known, clock, telemetry, kept, random: Math.random });
}

function anyOf(patterns: readonly string[]): (name: string) => boolean {
  const matchers = patterns.map(matcherOfTexts);
  return (name) => matchers.some((matches) => matches(name));
}
