// What the path of a pod's log file says of it, as the kubelet makes it. Pure.
//
//   /var/log/pods/<namespace>_<pod>_<uid>/<container>/<restarts>.log
//
// Of a static pod the uid is a hash, 32 hex digits. None of the names can have `_`, so the pieces are told apart by it;
// a folder that has another form tells nothing, and its lines have their path alone.

import { tagOfPath } from '../files/source-path.ts';

export interface PodPath {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  readonly restarts: string;
}

/** As long as names of Kubernetes are at most. */
const FOLDER = /^([a-z0-9-]{1,63})_([a-z0-9.-]{1,253})_([0-9A-Za-z-]{1,63})$/;
const CONTAINER = /^[a-z0-9-]{1,63}$/;
/** A file that rotation has named so, and whose name before nobody has any more. */
const FILE = /^([0-9]{1,9})\.log(?:\.[0-9-]+(?:\.gz)?)?$/;

/** Null where the path has another form. */
export function podPathOf(path: string): PodPath | null {
  const [file = '', container = '', folder = ''] = path.split('/').toReversed();
  const [, namespace = '', pod = '', uid = ''] = FOLDER.exec(folder) ?? [];
  const [, restarts = ''] = FILE.exec(file) ?? [];
  if (namespace === '' || restarts === '' || !CONTAINER.test(container)) return null;
  return { namespace, pod, uid, container, restarts };
}

/** Names as the indexer knows them. */
export function fieldsOfPod({ namespace, pod, uid, container, restarts }: PodPath): Readonly<Record<string, string>> {
  return {
    'kubernetes.namespace': namespace,
    'kubernetes.pod.name': pod,
    'kubernetes.pod.uid': uid,
    'kubernetes.container.name': container,
    'k8s.container.restart_count': restarts,
  };
}

/** `kubernetes.<namespace>.<pod>.<container>`; of another path as of any file. */
export function tagOfPod(path: string): string {
  const of = podPathOf(path);
  return of === null ? tagOfPath(path) : `kubernetes.${of.namespace}.${of.pod}.${of.container}`;
}
