// The fields of a document that tell where an event came from: its container, its pod, its cluster (docs/documents.md),
// and by which names senders tell them. The template maps them as `keyword`; the indexer fills them; queries know the
// names; the eraser of dead letters looks for containers by them. Pure.
//
// Docker tells labels, Kubernetes' filters a map `kubernetes`, Filebeat the names of its own schema and of ECS,
// OpenTelemetry its attributes `k8s.*`, log-pilot `k8s_*` and `docker_*`, the journal labels in capitals.

export interface OriginNames {
  /** Keys of the record, the first one first. One with dots is also found as keys of maps in each other. */
  readonly record: readonly string[];
  /** Keys of the record's map `kubernetes`, of which the same is true. */
  readonly pod?: readonly string[];
  /** Keys of a map of the container's labels. */
  readonly labels?: readonly string[];
}

/** Of a kind of workload, such as `deployment`. */
function workload(kind: string): OriginNames {
  return { record: [`kubernetes.${kind}.name`, `k8s.${kind}.name`], pod: [`${kind}.name`] };
}

/** A label of Docker, as Docker names it, as Filebeat does, and as the journal's driver does. */
function labelNames(label: string): { readonly record: readonly string[]; readonly labels: readonly string[] } {
  const safe = safeLabel(label);
  return { record: [label, safe.toUpperCase()], labels: [label, safe] };
}

/** A name of a label as it is in documents: dots would be taken for objects in each other, slashes for paths. */
export function safeLabel(name: string): string {
  return name.replaceAll(/[./]/g, '_');
}

const namespaceLabel = labelNames('io.kubernetes.pod.namespace');
const podLabel = labelNames('io.kubernetes.pod.name');
const uidLabel = labelNames('io.kubernetes.pod.uid');
const containerLabel = labelNames('io.kubernetes.container.name');
const projectLabel = labelNames('com.docker.compose.project');
const stackLabel = labelNames('com.docker.stack.namespace');
const composeLabel = labelNames('com.docker.compose.service');
const swarmLabel = labelNames('com.docker.swarm.service.name');

/** Paths that begin alike stand together: each object is written once. */
const originFields = {
  'container.id': {
    record: ['container.id', 'container_id', 'CONTAINER_ID_FULL'],
    pod: ['docker_id', 'container.id'],
  },
  'container.name': { record: ['container.name', 'container_name', 'CONTAINER_NAME', 'docker_container'] },
  'container.image.name': {
    record: ['container.image.name', 'container_image', 'image_name', 'IMAGE_NAME'],
    pod: ['container_image', 'container.image'],
  },
  'container.runtime': { record: ['container.runtime'] },
  'kubernetes.namespace': {
    record: [
      'kubernetes.namespace', 'kubernetes.namespace_name', 'k8s.namespace.name', 'k8s_pod_namespace',
      ...namespaceLabel.record,
    ],
    pod: ['namespace_name', 'namespace', 'pod_namespace'],
    labels: namespaceLabel.labels,
  },
  'kubernetes.namespace_uid': {
    record: ['kubernetes.namespace_uid', 'k8s.namespace.uid'],
    pod: ['namespace_id', 'namespace_uid'],
  },
  'kubernetes.pod.name': {
    record: ['kubernetes.pod.name', 'kubernetes.pod_name', 'k8s.pod.name', 'k8s_pod', ...podLabel.record],
    pod: ['pod_name', 'pod.name'],
    labels: podLabel.labels,
  },
  'kubernetes.pod.uid': {
    record: ['kubernetes.pod.uid', 'k8s.pod.uid', ...uidLabel.record],
    pod: ['pod_id', 'pod.uid', 'pod_uid'],
    labels: uidLabel.labels,
  },
  'kubernetes.pod.ip': { record: ['kubernetes.pod.ip', 'k8s.pod.ip'], pod: ['pod_ip', 'pod.ip'] },
  'kubernetes.container.name': {
    record: [
      'kubernetes.container.name', 'kubernetes.container_name', 'k8s.container.name', 'k8s_container_name',
      ...containerLabel.record,
    ],
    pod: ['container_name', 'container.name'],
    labels: containerLabel.labels,
  },
  'kubernetes.node.name': {
    record: ['kubernetes.node.name', 'k8s.node.name', 'k8s_node_name'],
    pod: ['host', 'node.name', 'pod_node_name'],
  },
  'kubernetes.node.uid': { record: ['kubernetes.node.uid', 'k8s.node.uid'], pod: ['node.uid'] },
  'kubernetes.deployment.name': workload('deployment'),
  'kubernetes.replicaset.name': workload('replicaset'),
  'kubernetes.statefulset.name': workload('statefulset'),
  'kubernetes.daemonset.name': workload('daemonset'),
  'kubernetes.job.name': workload('job'),
  'kubernetes.cronjob.name': workload('cronjob'),
  'orchestrator.type': { record: ['orchestrator.type'] },
  'orchestrator.namespace': {
    record: [
      'orchestrator.namespace', ...projectLabel.record, ...stackLabel.record, 'compose_project', 'swarm_stack',
      'docker_app',
    ],
    labels: [...projectLabel.labels, ...stackLabel.labels],
  },
  'orchestrator.cluster.id': { record: ['orchestrator.cluster.id', 'k8s.cluster.uid'] },
  'orchestrator.cluster.name': { record: ['orchestrator.cluster.name', 'k8s.cluster.name'] },
  'orchestrator.cluster.url': { record: ['orchestrator.cluster.url'] },
  'orchestrator.cluster.version': { record: ['orchestrator.cluster.version'] },
} as const satisfies Readonly<Record<string, OriginNames>>; // prettier-ignore

export type OriginPath = keyof typeof originFields;

// The keys of an object are those of its type.
export const originPaths = Object.keys(originFields) as readonly OriginPath[];

export function originNames(path: OriginPath): OriginNames {
  return originFields[path];
}

/** A service that somebody named. A unit or an identifier of the journal comes after the labels. */
export const serviceNames: readonly string[] = [
  'service.name', 'service_name', 'service', ...composeLabel.record, ...swarmLabel.record, 'compose_service',
  'swarm_service', 'docker_service', 'SYSLOG_IDENTIFIER', '_SYSTEMD_UNIT',
]; // prettier-ignore
export const serviceLabels: readonly string[] = [...composeLabel.labels, ...swarmLabel.labels];
export const versionNames: readonly string[] = ['service.version', 'service_version'];
export const versionLabels: readonly string[] = labelNames('org.opencontainers.image.version').labels;
/** Recommended labels of a pod; as they are, and as Filebeat writes them. */
export const appLabels: readonly string[] = [
  'app.kubernetes.io/name',
  'app_kubernetes_io/name',
  'app_kubernetes_io_name',
];
export const appVersionLabels: readonly string[] = appLabels.map((name) => name.replace(/name$/, 'version'));

/** Maps of the container's labels: Filebeat's, Docker's json-file and splunk drivers', Vector's. */
export const labelMaps = ['container.labels', 'docker.container.labels', 'attrs', 'label'] as const;

/** Labels and annotations, whose names are made safe. */
export const labelFields: readonly string[] = [
  'container.labels', 'kubernetes.labels', 'kubernetes.annotations', 'kubernetes.namespace_labels',
]; // prettier-ignore
