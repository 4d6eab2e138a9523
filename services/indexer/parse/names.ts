// The keys of a record, and of a structured line, that mean something to us, and which field of the document each may
// become (docs/documents.md). Keys go by their number in the tables below. A name with dots is one key, or keys of maps
// in each other.

import { ecsAliases, ecsFields } from '#shared/store/ecs-fields.ts';
import * as origins from '#shared/store/origin-fields.ts';

// prettier-ignore
const ownNames = [
  'log', 'message', 'msg', 'MESSAGE', 'stream', 'source', 'log.level', 'level', 'severity',
  'host.name', 'hostname', 'host', '_HOSTNAME',
  'kubernetes', 'fluentd.time', 'fluentd.metadata', 'partial_message', 'TENANT_ID', 'SERVICE_ID',
  // Of containers in the journal.
  'CONTAINER_ID', 'CONTAINER_PARTIAL_MESSAGE', 'CONTAINER_PARTIAL_ID',
  ...origins.labelMaps,
  // Of a reader of containers' files that has taken off what the runtime put around the line.
  'log.iostream',
  // Of messages and levels in structured lines: JSON of .NET, Serilog's compact form, structlog.
  'Message', 'RenderedMessage', '@m', '@mt', 'event',
  'lvl', 'loglevel', 'log_level', 'levelname', 'LogLevel', 'Level', '@l', 'severity_text', 'PRIORITY', 'priority',
  'severity_number', 'caller', 'name',
  // hclog, log4j's JsonLayout, loguru, tracing and log4rs of Rust.
  '@message', '@level', 'fields.message', 'module_path', 'target',
  'instant.epochSecond', 'instant.nanoOfSecond', 'record.message', 'record.level.name', 'record.time.timestamp',
  '@timestamp', 'timestamp', 'time', 'date', 'ts', 't', 'Timestamp', '@t', 'datetime', 'asctime',
  '__REALTIME_TIMESTAMP', '_SOURCE_REALTIME_TIMESTAMP',
] as const;
type OwnName = (typeof ownNames)[number];

/** Names of fields that are chosen by what is found of them, from this number on. */
export const FOUND_FROM = ownNames.length;
const originNames = origins.originPaths.flatMap((path) => origins.originNames(path).record);
const ecsNames = ecsFields.flatMap(([path]) => [path, ...(ecsAliases[path] ?? [])]);
const leafNames: readonly string[] = [
  ...new Set([...ownNames, ...originNames, ...ecsNames, ...origins.serviceNames, ...origins.versionNames]),
];
/** What leads to a name with dots: a map, if its value is one. */
const mapNames = leafNames.flatMap(mapsOf);
export const recordNames: readonly string[] = [...new Set([...leafNames, ...mapNames.filter(isMapName)])];

/** By a name's number: the number of the field of the schema that it may become; -1 for none. */
export const fieldOfName: readonly number[] = recordNames.map((name) =>
  isOwn(name) ? -1 : ecsFields.findIndex(([path]) => path === name || (ecsAliases[path] ?? []).includes(name)),
);
/** By a name's number: its place among the names of its field. */
export const rankOfName: readonly number[] = recordNames.map((name, number) => {
  const path = ecsFields[fieldOfName[number]!]?.[0];
  return path === undefined ? -1 : [path, ...(ecsAliases[path] ?? [])].indexOf(name);
});

/** Maps inside `kubernetes`, the first name first. */
const podMaps = {
  labels: ['labels', 'pod_labels'],
  annotations: ['annotations', 'pod_annotations'],
  namespaceLabels: ['namespace_labels'],
};
const podLeafs = [
  ...origins.originPaths.flatMap((path) => origins.originNames(path).pod ?? []),
  ...Object.values(podMaps).flat(),
];
/** Inside `kubernetes`, as the filters of fluent-bit, fluentd and Vector fill it, and Filebeat. */
export const podNames: readonly string[] = [...new Set([...podLeafs, ...podLeafs.flatMap(mapsOf)])];

/** By a name's number: which of the fields of the origin it may become, and its place among the names of that. */
export const originOfName: readonly number[] = recordNames.map((name) =>
  origins.originPaths.findIndex((path) => origins.originNames(path).record.includes(name)),
);
export const originRankOfName: readonly number[] = recordNames.map((name, number) => {
  const path = origins.originPaths[originOfName[number]!];
  return path === undefined ? -1 : origins.originNames(path).record.indexOf(name);
});
/** The same for names inside `kubernetes`. */
export const originOfPodName: readonly number[] = podNames.map((name) =>
  origins.originPaths.findIndex((path) => origins.originNames(path).pod?.includes(name) === true),
);
export const originRankOfPodName: readonly number[] = podNames.map((name, number) => {
  const path = origins.originPaths[originOfPodName[number]!];
  return path === undefined ? -1 : (origins.originNames(path).pod ?? []).indexOf(name);
});

/** Among the container's labels. */
export const labelNames: readonly string[] = [
  ...origins.originPaths.flatMap((path) => origins.originNames(path).labels ?? []),
  ...origins.serviceLabels,
  ...origins.versionLabels,
];
/** By the number of a field of the origin: the labels that it is taken from. */
export const labelsOfOrigin: readonly (readonly number[])[] = origins.originPaths.map((path) =>
  (origins.originNames(path).labels ?? []).map((name) => labelNames.indexOf(name)),
);
export const serviceLabels = origins.serviceLabels.map((name) => labelNames.indexOf(name));
export const versionLabels = origins.versionLabels.map((name) => labelNames.indexOf(name));
/** Among the pod's labels. */
export const podLabelNames: readonly string[] = [...origins.appLabels, ...origins.appVersionLabels];
export const appLabels = origins.appLabels.map((name) => podLabelNames.indexOf(name));
export const appVersionLabels = origins.appVersionLabels.map((name) => podLabelNames.indexOf(name));

// What a field is taken from: the first of these names that has a string.
export const messageNames = own('log', 'message', 'msg', 'MESSAGE');
/** Of a structured line. */
export const lineMessageNames = own(
  'message', 'msg', 'Message', 'RenderedMessage', '@m', 'log', 'MESSAGE', 'event', '@mt', '@message', 'record.message',
  'fields.message',
); // prettier-ignore
export const streamNames = own('stream');
// prettier-ignore
export const levelNames = own(
  'log.level', 'level', 'severity', 'lvl', 'loglevel', 'log_level', 'levelname', 'LogLevel', 'Level', '@l',
  'severity_text', 'PRIORITY', 'priority', 'severity_number', '@level', 'record.level.name',
);
/** Of the journal: microseconds, as text. */
export const journalTimeNames = own('__REALTIME_TIMESTAMP', '_SOURCE_REALTIME_TIMESTAMP');
/** One of them is in what a reader of the journal, or of containers' files, sends: its text is what a program wrote. */
export const readerNames = [...own('MESSAGE', '_HOSTNAME', 'log.iostream'), ...journalTimeNames];
export const timeNames = [...own('@timestamp', 'timestamp', 'time', 'date', 'ts'), ...journalTimeNames];
/** Of a structured line. */
// prettier-ignore
export const lineTimeNames = own(
  '@timestamp', 'timestamp', 'time', 'ts', 't', 'Timestamp', '@t', 'datetime', 'date', 'asctime',
  'record.time.timestamp',
);
export const labelMaps = own(...origins.labelMaps);
export const CONTAINER_LABELS = numberOf('container.labels');
export const hostNames = own('host.name', 'hostname', 'host', '_HOSTNAME');
export const serviceNames = origins.serviceNames.map((name) => recordNames.indexOf(name));
export const versionNames = origins.versionNames.map((name) => recordNames.indexOf(name));
/** Only of records whose tenant is trusted to name them. */
export const trustedTenantNames = own('TENANT_ID');
export const trustedServiceNames = [...own('SERVICE_ID'), ...serviceNames];
export const podLabels = podMaps.labels.map(podNumber);
export const podAnnotations = podMaps.annotations.map(podNumber);
export const namespaceLabels = podMaps.namespaceLabels.map(podNumber);
export const KUBERNETES_NAME = numberOf('kubernetes');
export const PART_NAME = numberOf('partial_message');
export const JOURNAL_CONTAINER = numberOf('CONTAINER_ID');
export const JOURNAL_PARTIAL = numberOf('CONTAINER_PARTIAL_MESSAGE');
export const JOURNAL_PART_ID = numberOf('CONTAINER_PARTIAL_ID');
export const LOG = numberOf('log');
export const STREAM = numberOf('stream');
export const PLAIN_TIME = numberOf('time');
export const ATTRS = numberOf('attrs');
export const SOURCE = numberOf('source');
export const CALLER_NAME = numberOf('caller');
export const NAME = numberOf('name');
/** Beside one of these, or all of those, `name` is a logger: in Python, and in bunyan and pino. */
export const LEVEL_OF_PYTHON = numberOf('levelname');
export const PROCESS_OF_NODE = [recordNames.indexOf('pid'), numberOf('hostname')];
/** The same of `target`, in Rust: one of those. */
export const TARGET = numberOf('target');
export const namesOfRust = own('fields.message', 'module_path');
/** The other names of a logger. */
export const loggerNames = ['log.logger', ...(ecsAliases['log.logger'] ?? [])].map((name) => recordNames.indexOf(name));
export const INSTANT_SECONDS = numberOf('instant.epochSecond');
export const INSTANT_NANOS = numberOf('instant.nanoOfSecond');
export const TIME_NAME = numberOf('fluentd.time');
export const METADATA_NAME = numberOf('fluentd.metadata');
export const PRIORITY_NAME = numberOf('PRIORITY');
export const PLAIN_PRIORITY_NAME = numberOf('priority');
export const LEVEL_NAME = numberOf('level');
export const SEVERITY_NUMBER_NAME = numberOf('severity_number');

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

/** What leads to a name with dots. */
function mapsOf(name: string): string[] {
  return [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index));
}

function podNumber(name: string): number {
  return podNames.indexOf(name);
}
