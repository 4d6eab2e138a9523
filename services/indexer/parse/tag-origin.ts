// What a tag tells of the container that its events are of: tailers of files make it of the file's path.
//
//   kubernetes.var.log.containers.<pod>_<namespace>_<container>-<id>.log
//   file.var.log.pods.<namespace>_<pod>_<uid>.<container>.<restarts>.log
//   file.var.lib.docker.containers.<id>.<id>-json.log
//
// Pure, and linear in the tag: pieces are told apart by letters that they cannot have themselves.

import type { OriginPath } from '#shared/store/origin-fields.ts';

export type TagOrigin = Readonly<Partial<Record<OriginPath, string>>>;

const NOTHING: TagOrigin = {};
/** All have it; hardly any other tag does. */
const SIGN = 'var.l';
// The pieces before the sign are anybody's; a pod's name may have dots.
const CONTAINERS = /^var\.log\.containers\.([a-z0-9.-]+)_([a-z0-9-]+)_([a-z0-9-]+)-([0-9a-f]{64})\.log$/;
const PODS = /^var\.log\.pods\.([a-z0-9-]+)_([a-z0-9.-]+)_([0-9a-f-]+)\.([a-z0-9-]+)\.[0-9]+\.log$/;
const DOCKER = /^var\.lib\.docker\.containers\.([0-9a-f]{64})\.([0-9a-f]{64})-json\.log$/;

export function tagOrigin(tag: string): TagOrigin {
  const at = tag.lastIndexOf(SIGN);
  if (at < 0 || (at > 0 && tag[at - 1] !== '.')) return NOTHING;
  const path = tag.slice(at);
  const container = CONTAINERS.exec(path);
  if (container !== null) {
    const [, pod = '', namespace = '', name = '', id = ''] = container;
    return { ...podOf(namespace, pod, name), 'container.id': id };
  }
  const pods = PODS.exec(path);
  if (pods !== null) {
    const [, namespace = '', pod = '', uid = '', name = ''] = pods;
    return { ...podOf(namespace, pod, name), 'kubernetes.pod.uid': uid };
  }
  const [, id, again] = DOCKER.exec(path) ?? [];
  return id === undefined || id !== again ? NOTHING : { 'container.id': id };
}

function podOf(namespace: string, pod: string, container: string): TagOrigin {
  return { 'kubernetes.namespace': namespace, 'kubernetes.pod.name': pod, 'kubernetes.container.name': container };
}
