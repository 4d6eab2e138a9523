// What tells where an event comes from (a resource's attributes, a stream's labels), put where the indexer looks for it
// (docs/documents.md): a pod's names go below `kubernetes` as fluent-bit's filter writes them, names with a field of
// their own stand at the top, and all else goes where the dialect wants it.

import type { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { Pairs, keyOf } from './entry-builder.ts';

const KUBERNETES = keyOf('kubernetes');

/** OpenTelemetry's names (https://opentelemetry.io/docs/specs/semconv/resource/k8s/) for what is below `kubernetes`. */
const POD: ReadonlyMap<string, Buffer> = new Map([
  ['k8s.pod.name', keyOf('pod_name')],
  ['k8s.pod.uid', keyOf('pod_id')],
  ['k8s.pod.ip', keyOf('pod_ip')],
  ['k8s.namespace.name', keyOf('namespace_name')],
  ['k8s.container.name', keyOf('container_name')],
  ['k8s.node.name', keyOf('host')],
]);
const TOP: ReadonlySet<string> = new Set([
  'service.name',
  'service.version',
  'host.name',
  'container.id',
  'container.name',
  'container.image.name',
  'container.runtime',
  'k8s.namespace.uid',
  'k8s.node.uid',
  'k8s.deployment.name',
  'k8s.replicaset.name',
  'k8s.statefulset.name',
  'k8s.daemonset.name',
  'k8s.job.name',
  'k8s.cronjob.name',
  'k8s.cluster.name',
  'k8s.cluster.uid',
]);
const NAME_BYTES_MAX = Math.max(...[...POD.keys(), ...TOP].map((name) => name.length));

export class ResourceFields {
  /** What the dialect puts where it likes. */
  readonly rest = new Pairs();
  readonly #top = new Pairs();
  readonly #topNames: Buffer[] = [];
  readonly #pod = new Pairs();

  reset(): void {
    this.#topNames.length = 0;
    this.rest.reset();
    this.#top.reset();
    this.#pod.reset();
  }

  /** Begins a pair; write its value into what this returns. */
  key(name: Buffer): MsgpackWriter {
    if (name.length > NAME_BYTES_MAX) return this.rest.textKey(name);
    const text = name.toString('latin1');
    const pod = POD.get(text);
    if (pod) return this.#pod.key(pod);
    if (!TOP.has(text)) return this.rest.textKey(name);
    // The name is in bytes that may be used again.
    if (!this.hasAtTop(name)) this.#topNames.push(Buffer.from(name));
    return this.#top.textKey(name);
  }

  /** Whether the name stands at the top by now, so that another of the same name would take its place. */
  hasAtTop(name: Buffer): boolean {
    return this.#topNames.some((known) => known.length === name.length && known.equals(name));
  }

  /** A pair of the pod's own map. */
  podKey(encoded: Uint8Array): MsgpackWriter {
    return this.#pod.key(encoded);
  }

  /** Writes all but `rest`. */
  writeTo(pairs: Pairs): void {
    pairs.add(this.#top);
    pairs.map(KUBERNETES, this.#pod);
  }
}
