// The keys of a record that mean something to us, and which field of the document each may become (docs/documents.md).
// Keys go by their number in the tables below.

// prettier-ignore
export const rootNames = [
  'log', 'message', 'msg', 'MESSAGE', 'stream', 'source', 'log.level', 'level', 'severity', 'log.file.path',
  'container.id', 'container_id', 'container.name', 'container_name',
  'container.image.name', 'container_image', 'image_name',
  'host.name', 'hostname', 'host', 'service.name', 'service_name', 'service',
  'kubernetes', 'fluentd.time', 'fluentd.metadata', 'partial_message', 'TENANT_ID', 'SERVICE_ID',
] as const;
/** Inside `kubernetes`, as fluent-bit's and fluentd's filters fill it. */
// prettier-ignore
export const podNames = [
  'pod_name', 'pod_id', 'pod_ip', 'namespace_name', 'container_name', 'container_image', 'docker_id', 'host',
  'labels', 'annotations',
] as const;

// What a field is taken from: the first of these names that has a string.
export const messageNames = root('log', 'message', 'msg', 'MESSAGE');
export const streamNames = root('stream');
export const levelNames = root('log.level', 'level', 'severity');
export const filePathNames = root('log.file.path');
export const containerIdNames = root('container.id', 'container_id');
export const containerNames = root('container.name', 'container_name');
export const imageNames = root('container.image.name', 'container_image', 'image_name');
export const hostNames = root('host.name', 'hostname', 'host');
export const serviceNames = root('service.name', 'service_name', 'service');
/** Only of records whose tenant is trusted to name them. */
export const trustedTenantNames = root('TENANT_ID');
export const trustedServiceNames = root('SERVICE_ID', 'service.name', 'service_name', 'service');
export const podName = pod('pod_name');
export const podUid = pod('pod_id');
export const podIp = pod('pod_ip');
export const podNamespace = pod('namespace_name');
export const podContainer = pod('container_name');
export const podContainerId = pod('docker_id');
export const podImage = pod('container_image');
export const podNode = pod('host');
export const KUBERNETES_NAME = rootNames.indexOf('kubernetes');
export const PART_NAME = rootNames.indexOf('partial_message');
export const SOURCE = rootNames.indexOf('source');
export const TIME_NAME = rootNames.indexOf('fluentd.time');
export const METADATA_NAME = rootNames.indexOf('fluentd.metadata');
export const LABELS_NAME = podNames.indexOf('labels');
export const ANNOTATIONS_NAME = podNames.indexOf('annotations');

function root(...names: readonly (typeof rootNames)[number][]): readonly number[] {
  return names.map((name) => rootNames.indexOf(name));
}

function pod(...names: readonly (typeof podNames)[number][]): readonly number[] {
  return names.map((name) => podNames.indexOf(name));
}
