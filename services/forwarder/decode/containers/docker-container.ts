// What Docker's own file says of a container: `config.v2.json` in its folder, as moby's container.Container writes it.
// Pure, and total: what has another form says nothing.
//
//   /var/lib/docker/containers/<id>/<id>-json.log              and .1, .2.gz, …: of the driver json-file
//   /var/lib/docker/containers/<id>/local-logs/container.log   and .1, .2.gz, …: of the driver local
//   { "Name": "/web", "Config": { "Image": "busybox:1", "Labels": { … } }, … }

import { tagOfPath } from '../files/source-path.ts';

export interface DockerContainer {
  /** Empty where nobody knows it. */
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Of which nothing is known. */
export const NOBODY: DockerContainer = { name: '', image: '', labels: {} };
const PATH = /\/([0-9a-f]{64})\/(?:([0-9a-f]{64})-json|local-logs\/container)\.log(?:\.[0-9]+(?:\.gz)?)?$/;
const LOCAL = /\/local-logs\/[^/]+$/;
/** As Docker lets names be. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$/;
const LABELS_MAX = 64;
/** Of one label, its name and its value: longer ones, and what comes behind all of them, are left out of events. */
const LABEL_LENGTH_MAX = 512;
const LABELS_LENGTH_MAX = 4096;

/** Null where the path is not that of a container's log. */
export function containerIdOf(path: string): string | null {
  const [, folder, file] = PATH.exec(path) ?? [];
  return folder !== undefined && folder === (file ?? folder) ? folder : null;
}

/** Whether the log is one of Docker's driver `local`, by its path. */
export function isOfLocalDriver(path: string): boolean {
  return LOCAL.test(path);
}

/** The folder of the container whose log it is. */
export function folderOfContainer(path: string): string {
  return path.replace(/(?:\/local-logs)?\/[^/]+$/, '');
}

/** Null where the text is not what Docker writes. */
export function dockerContainerOf(text: string): DockerContainer | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(parsed)) return null;
  const config = isObject(parsed['Config']) ? parsed['Config'] : {};
  const written = textOf(parsed['Name']).replace(/^\//, '');
  const labels = isObject(config['Labels']) ? config['Labels'] : {};
  return {
    name: NAME.test(written) ? written : '',
    image: textOf(config['Image']).slice(0, LABEL_LENGTH_MAX).toWellFormed(),
    labels: Object.fromEntries(
      Object.entries(labels).filter((label): label is [string, string] => typeof label[1] === 'string'),
    ),
  };
}

/** The labels that events have: as many as fit, in the order of their names. */
export function labelsWithin(labels: DockerContainer['labels']): DockerContainer['labels'] {
  const kept: [string, string][] = [];
  let length = 0;
  for (const [name, value] of Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const own = name.length + value.length;
    if (name === '' || own > LABEL_LENGTH_MAX || length + own > LABELS_LENGTH_MAX || kept.length === LABELS_MAX)
      continue;
    kept.push([name.toWellFormed(), value.toWellFormed()]);
    length += own;
  }
  return Object.fromEntries(kept);
}

/** Names as the indexer knows them. */
export function fieldsOfContainer(id: string, { name, image }: DockerContainer): Readonly<Record<string, string>> {
  return {
    'container.id': id,
    ...(name !== '' && { 'container.name': name }),
    ...(image !== '' && { 'container.image.name': image }),
  };
}

/** `docker.<name>`, or the beginning of its id as Docker's drivers have it; of another path as of any file. */
export function tagOfContainer(path: string, { name }: DockerContainer): string {
  const id = containerIdOf(path);
  return id === null ? tagOfPath(path) : `docker.${name === '' ? id.slice(0, 12) : name}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
