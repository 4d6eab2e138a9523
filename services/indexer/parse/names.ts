// The keys of a record, and of a structured line, that mean something to us, and which field of the document each may
// become (docs/documents.md). Keys go by their number in the tables below. A name with dots is one key, or keys of maps
// in each other.

import { ecsAliases, ecsFields } from '#shared/store/ecs-fields.ts';

// prettier-ignore
const ownNames = [
  'log', 'message', 'msg', 'MESSAGE', 'stream', 'source', 'log.level', 'level', 'severity',
  'container.id', 'container_id', 'container.name', 'container_name',
  'container.image.name', 'container_image', 'image_name',
  'host.name', 'hostname', 'host', 'service.name', 'service_name', 'service',
  'kubernetes', 'fluentd.time', 'fluentd.metadata', 'partial_message', 'TENANT_ID', 'SERVICE_ID',
  'CONTAINER_ID_FULL', 'CONTAINER_NAME', 'IMAGE_NAME', '_HOSTNAME', 'SYSLOG_IDENTIFIER', '_SYSTEMD_UNIT',
  // Of messages and levels in structured lines: JSON of .NET, Serilog's compact form, structlog.
  'Message', 'RenderedMessage', '@m', '@mt', 'event',
  'lvl', 'loglevel', 'log_level', 'levelname', 'LogLevel', 'Level', '@l', 'severity_text', 'PRIORITY', 'priority',
  'severity_number', 'caller',
  '@timestamp', 'timestamp', 'time', 'date', 'ts', 't', 'Timestamp', '@t', 'datetime', 'asctime',
] as const;
type OwnName = (typeof ownNames)[number];

/** Names of the fields of the schema, from this number on. */
export const ECS_FROM = ownNames.length;
const ecsNames = ecsFields.flatMap(([path]) => [path, ...(ecsAliases[path] ?? [])]).filter((name) => !isOwn(name));
const leafNames: readonly string[] = [...ownNames, ...ecsNames];
/** What leads to a name with dots: a map, if its value is one. */
const mapNames = leafNames.flatMap((name) => [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index)));
export const recordNames: readonly string[] = [...new Set([...leafNames, ...mapNames.filter(isMapName)])];

/** By a name's number, from ECS_FROM on: the number of the field that it may become; -1 where it is a map only. */
export const fieldOfName: readonly number[] = recordNames.map((name) =>
  ecsFields.findIndex(([path]) => path === name || (ecsAliases[path] ?? []).includes(name)),
);
/** By a name's number: its place among the names of its field. */
export const rankOfName: readonly number[] = recordNames.map((name, number) => {
  const path = ecsFields[fieldOfName[number]!]?.[0];
  return path === undefined ? -1 : [path, ...(ecsAliases[path] ?? [])].indexOf(name);
});

/** Inside `kubernetes`, as fluent-bit's and fluentd's filters fill it. */
// prettier-ignore
export const podNames = [
  'pod_name', 'pod_id', 'pod_ip', 'namespace_name', 'container_name', 'container_image', 'docker_id', 'host',
  'labels', 'annotations',
] as const;

// What a field is taken from: the first of these names that has a string.
export const messageNames = own('log', 'message', 'msg', 'MESSAGE');
/** Of a structured line. */
export const lineMessageNames = own(
  'message', 'msg', 'Message', 'RenderedMessage', '@m', 'log', 'MESSAGE', 'event', '@mt',
); // prettier-ignore
export const streamNames = own('stream');
// prettier-ignore
export const levelNames = own(
  'log.level', 'level', 'severity', 'lvl', 'loglevel', 'log_level', 'levelname', 'LogLevel', 'Level', '@l',
  'severity_text', 'PRIORITY', 'priority', 'severity_number',
);
export const timeNames = own('@timestamp', 'timestamp', 'time', 'date', 'ts');
/** Of a structured line. */
// prettier-ignore
export const lineTimeNames = own(
  '@timestamp', 'timestamp', 'time', 'ts', 't', 'Timestamp', '@t', 'datetime', 'date', 'asctime',
);
export const containerIdNames = own('container.id', 'container_id', 'CONTAINER_ID_FULL');
export const containerNames = own('container.name', 'container_name', 'CONTAINER_NAME');
export const imageNames = own('container.image.name', 'container_image', 'image_name', 'IMAGE_NAME');
export const hostNames = own('host.name', 'hostname', 'host', '_HOSTNAME');
export const serviceNames = own('service.name', 'service_name', 'service', 'SYSLOG_IDENTIFIER', '_SYSTEMD_UNIT');
/** Only of records whose tenant is trusted to name them. */
export const trustedTenantNames = own('TENANT_ID');
export const trustedServiceNames = [...own('SERVICE_ID'), ...serviceNames];
export const podName = pod('pod_name');
export const podUid = pod('pod_id');
export const podIp = pod('pod_ip');
export const podNamespace = pod('namespace_name');
export const podContainer = pod('container_name');
export const podContainerId = pod('docker_id');
export const podImage = pod('container_image');
export const podNode = pod('host');
export const KUBERNETES_NAME = numberOf('kubernetes');
export const PART_NAME = numberOf('partial_message');
export const SOURCE = numberOf('source');
export const CALLER_NAME = numberOf('caller');
export const TIME_NAME = numberOf('fluentd.time');
export const METADATA_NAME = numberOf('fluentd.metadata');
export const PRIORITY_NAME = numberOf('PRIORITY');
export const PLAIN_PRIORITY_NAME = numberOf('priority');
export const LEVEL_NAME = numberOf('level');
export const SEVERITY_NUMBER_NAME = numberOf('severity_number');
export const LABELS_NAME = podNames.indexOf('labels');
export const ANNOTATIONS_NAME = podNames.indexOf('annotations');

function own(...names: readonly OwnName[]): readonly number[] {
  return names.map(numberOf);
}

function numberOf(name: OwnName): number {
  return ownNames.indexOf(name);
}

function isOwn(name: string): boolean {
  return ownNames.some((known) => known === name);
}

/** `kubernetes` has a table of its own, and of what is ours nothing is looked for in maps. */
function isMapName(name: string): boolean {
  return name !== 'kubernetes' && name !== 'fluentd';
}

function pod(...names: readonly (typeof podNames)[number][]): readonly number[] {
  return names.map((name) => podNames.indexOf(name));
}
