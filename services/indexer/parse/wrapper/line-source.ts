// Which file or container a line is of, by what its sender says of it: only lines of one source may be joined. A tag
// alone tells nothing, for a sender may ship any number of files under one. Pure.

import { hash } from 'node:crypto';
import { FieldTable, KeyStack, isText, textEnd, textStart } from '../fields.ts';
import { tagOrigin } from '../tag-origin.ts';

/** As tailers of files name them. A value without a slash may be anything. */
const paths = [
  'log.file.path', 'filepath', 'file_path', 'filename', 'file', 'path', 'tailed_path', 'source', 'splunk.source',
]; // prettier-ignore
const ids = [
  'container.id', 'container_id', 'CONTAINER_ID_FULL', 'CONTAINER_ID',
  'kubernetes.docker_id', 'kubernetes.container.id', 'k8s.container.id',
]; // prettier-ignore
/** A container's name tells it from others beside the pod's only. */
const pods = [
  'kubernetes.pod.name', 'kubernetes.pod_name', 'kubernetes.pod.uid', 'kubernetes.pod_id',
  'k8s.pod.name', 'k8s.pod.uid',
]; // prettier-ignore
const podContainers = ['kubernetes.container.name', 'kubernetes.container_name', 'k8s.container.name'];
const others = [
  'kubernetes.namespace', 'kubernetes.namespace_name', 'host.name', 'host', 'hostname', '_HOSTNAME', '_BOOT_ID',
]; // prettier-ignore
const leafs = [...paths, ...ids, ...pods, ...podContainers, ...others];
const maps = leafs.flatMap((name) => [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index)));
const names = [...new Set([...leafs, ...maps])];
/** A longer value names no source. */
const NAME_BYTES_MAX = 4096;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;

const table = new FieldTable(names);
const keys = new KeyStack();

/**
 * A name of the source of the record at `recordAt`, and of one of its streams; null where nothing tells it from others
 * with the same tag.
 */
export function sourceOf(bytes: Uint8Array, recordAt: number, tag: string, stream: string): string | null {
  if (table.index(bytes, recordAt, bytes.length, keys) < 0) return null;
  const isTold =
    Object.keys(tagOrigin(tag)).length > 0 ||
    paths.some((name) => isPath(bytes, valueOf(bytes, name))) ||
    ids.some((name) => valueOf(bytes, name) !== 0) ||
    (pods.some((name) => valueOf(bytes, name) !== 0) && podContainers.some((name) => valueOf(bytes, name) !== 0));
  if (!isTold) return null;
  // All that is said counts: what differs in anything is another source.
  const said = [stream];
  for (const name of leafs) {
    const at = valueOf(bytes, name);
    if (at === 0) continue;
    const start = textStart(bytes, at);
    const end = textEnd(bytes, at);
    if (end - start > NAME_BYTES_MAX) return null;
    said.push(name, Buffer.from(bytes.subarray(start, end)).toString('latin1'));
  }
  return hash('sha256', JSON.stringify(said), 'base64url');
}

/** Where the text of the name is; 0 where it has none. */
function valueOf(bytes: Uint8Array, name: string): number {
  const at = table.values[names.indexOf(name)] ?? 0;
  return at !== 0 && isText(bytes[at]!) && textEnd(bytes, at) > textStart(bytes, at) ? at : 0;
}

function isPath(bytes: Uint8Array, at: number): boolean {
  if (at === 0) return false;
  for (let i = textStart(bytes, at); i < textEnd(bytes, at); i += 1)
    if (bytes[i] === SLASH || bytes[i] === BACKSLASH) return true;
  return false;
}
