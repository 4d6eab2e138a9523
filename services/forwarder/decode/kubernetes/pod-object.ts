// What a Pod of the Kubernetes API tells of its lines, as small as it can be kept, and as events carry it: a map
// `kubernetes` in the metadata of an entry (docs/record-format.md), which the indexer reads as that of a record. Pure,
// and total: what has another form tells nothing.
//
//   [[time, {"kubernetes": {"node.name", "deployment.name", …, "labels": {…}}}], record]
//
// Metadata is no part of a line's name: the line is the same, whatever was known of its pod when it was read.
//
// Form: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/

import { MsgpackWriter } from '#shared/msgpack/writer.ts';
import { labelsWithin } from '../containers/docker-container.ts';
import type { PodPath } from '../containers/pod-path.ts';

type Texts = Readonly<Record<string, string>>;

export interface KnownPod {
  readonly namespace: string;
  readonly name: string;
  /** As in the path of its logs: of a static pod a hash, not that of the object that stands for it. */
  readonly uid: string;
  /** Node, address and owner, by the names that the indexer knows. */
  readonly fields: Texts;
  readonly labels: Texts;
  readonly annotations: Texts;
  readonly containers: ReadonlyMap<string, KnownContainer>;
}

interface KnownContainer {
  readonly image: string;
  /** By how often it had been restarted: its id. */
  readonly ids: ReadonlyMap<number, string>;
}

export interface PodWants {
  readonly node: string;
  readonly isLabel: (name: string) => boolean;
  readonly isAnnotation: (name: string) => boolean;
}

/** The kubelet names the folder of a static pod's logs so; the API has an object in its place. */
const STATIC_UID = 'kubernetes.io/config.hash';
const TEXT_LENGTH_MAX = 512;
/** No pod has so many; and of each the last runs. */
const CONTAINERS_MAX = 100;
const IDS_MAX = 8;
/** Of the controller of CronJobs: the minutes, or seconds, of its time. */
const CRON_TIME = /^(.+)-(?:[0-9]{8}|[0-9]{10})$/;

/** Null for what is no pod of this node. `before`: what was known of it. */
export function knownPodOf(object: unknown, { node, isLabel, isAnnotation }: PodWants): KnownPod | null {
  const { metadata, spec, status } = mapOf(object);
  const { namespace, name, uid, labels, annotations, ownerReferences } = mapOf(metadata);
  const { nodeName, containers, initContainers, ephemeralContainers } = mapOf(spec);
  const hash = mapOf(annotations)[STATIC_UID];
  const own = { namespace: textOf(namespace), name: textOf(name), uid: textOf(hash) || textOf(uid) };
  if (own.namespace === '' || own.name === '' || own.uid === '' || nodeName !== node) return null;
  const allLabels = textsOf(labels);
  const ip = textOf(mapOf(status)['podIP']);
  return {
    ...own,
    fields: {
      'node.name': node.slice(0, TEXT_LENGTH_MAX),
      ...(ip !== '' && { 'pod.ip': ip }),
      ...ownerOf(listOf(ownerReferences), textOf(allLabels['pod-template-hash'])),
    },
    labels: chosen(allLabels, isLabel),
    annotations: chosen(textsOf(annotations), isAnnotation),
    containers: containersOf(
      [...listOf(containers), ...listOf(initContainers), ...listOf(ephemeralContainers)],
      mapOf(status),
    ),
  };
}

/** The pod as it is now, with the ids of the containers that it had before. */
export function withIdsBefore(pod: KnownPod, before: KnownPod): KnownPod {
  const containers = [...pod.containers].map(([name, { image, ids }]) => {
    const all = new Map([...(before.containers.get(name)?.ids ?? []), ...ids]);
    return [name, { image, ids: new Map([...all].toSorted(([a], [b]) => a - b).slice(-IDS_MAX)) }] as const;
  });
  return { ...pod, containers: new Map(containers) };
}

/** Whether the path is one of the pod's: whoever may make folders may give one any uid. */
export function isPathOf(pod: KnownPod, { namespace, pod: name }: PodPath): boolean {
  return pod.namespace === namespace && pod.name === name;
}

/** The metadata of the entries of a file of the pod, packed. */
export function metadataOf(pod: KnownPod, { container: name, restarts }: PodPath): Buffer {
  const container = pod.containers.get(name);
  const id = container?.ids.get(Number(restarts)) ?? '';
  const image = container?.image ?? '';
  const texts = {
    ...pod.fields,
    ...(image !== '' && { 'container.image': image }),
    ...(id !== '' && { 'container.id': id }),
  };
  const maps = Object.entries({ labels: pod.labels, annotations: pod.annotations }).filter(
    ([, map]) => Object.keys(map).length > 0,
  );
  const writer = new MsgpackWriter(1024);
  writer.mapHeader(1);
  writer.string('kubernetes');
  writer.mapHeader(Object.keys(texts).length + maps.length);
  for (const text of Object.entries(texts).flat()) writer.string(text);
  for (const [key, map] of maps) {
    writer.string(key);
    writer.mapHeader(Object.keys(map).length);
    for (const text of Object.entries(map).flat()) writer.string(text);
  }
  return writer.take();
}

/** Deployments and CronJobs own their pods by something else, which is named after them. */
function ownerOf(references: readonly unknown[], templateHash: string): Texts {
  const owner = mapOf(references.find((one) => mapOf(one)['controller'] === true));
  const name = textOf(owner['name']);
  if (name === '') return {};
  switch (owner['kind']) {
    case 'ReplicaSet': {
      const end = `-${templateHash}`;
      const isOfDeployment = templateHash !== '' && name.endsWith(end) && name.length > end.length;
      return { 'replicaset.name': name, ...(isOfDeployment && { 'deployment.name': name.slice(0, -end.length) }) };
    }
    case 'Job': {
      const [, cron] = CRON_TIME.exec(name) ?? [];
      return { 'job.name': name, ...(cron !== undefined && { 'cronjob.name': cron }) };
    }
    case 'StatefulSet':
      return { 'statefulset.name': name };
    case 'DaemonSet':
      return { 'daemonset.name': name };
    default:
      return {};
  }
}

function containersOf(specs: readonly unknown[], status: Readonly<Record<string, unknown>>): KnownPod['containers'] {
  const statuses = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'].flatMap((key) =>
    listOf(status[key]).map(mapOf),
  );
  const containers = specs.slice(0, CONTAINERS_MAX).map((spec) => {
    const name = textOf(mapOf(spec)['name']);
    const found = statuses.find((one) => one['name'] === name);
    return [
      name,
      { image: textOf(mapOf(spec)['image']), ids: found === undefined ? new Map() : idsOf(found) },
    ] as const;
  });
  return new Map(containers.filter(([name]) => name !== ''));
}

/** Of the run that is counted, and of the one before. */
function idsOf({ restartCount, containerID, lastState }: Readonly<Record<string, unknown>>): Map<number, string> {
  const ids = new Map<number, string>();
  if (typeof restartCount !== 'number') return ids;
  const last = idOf(mapOf(mapOf(lastState)['terminated'])['containerID']);
  const current = idOf(containerID);
  // While a container waits for its next run, both are the one that has ended.
  if (last !== '' && current !== '' && last !== current) ids.set(restartCount - 1, last);
  if (current !== '') ids.set(restartCount, current);
  return ids;
}

/** `containerd://<id>`. */
function idOf(value: unknown): string {
  return textOf(value).replace(/^[a-z0-9.-]+:\/\//, '');
}

function chosen(texts: Texts, isChosen: (name: string) => boolean): Texts {
  return labelsWithin(Object.fromEntries(Object.entries(texts).filter(([name]) => isChosen(name))));
}

function mapOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function textsOf(value: unknown): Texts {
  return Object.fromEntries(
    Object.entries(mapOf(value)).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

/** Empty for what is no text, or is longer than any name of Kubernetes. */
function textOf(value: unknown): string {
  return typeof value === 'string' && value.length <= TEXT_LENGTH_MAX ? value.toWellFormed() : '';
}
