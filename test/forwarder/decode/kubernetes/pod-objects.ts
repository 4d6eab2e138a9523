// Pods as the Kubernetes API writes them, for tests: in the form that is published
// (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/), with what is of no use to us too.

export interface PodSpec {
  readonly name?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly node?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly owner?: { readonly kind: string; readonly name: string } | null;
  readonly image?: string;
  readonly status?: object;
  /** Bytes of what nobody reads. */
  readonly padding?: number;
  readonly version?: string;
}

export const UID = '00000000-0000-4000-8000-000000000001';

export function podObject(of: PodSpec = {}): {
  metadata: { uid: string; [key: string]: unknown };
  [key: string]: unknown;
} {
  const { name = 'web-1', namespace = 'shop', uid = UID, node = 'node-1', labels = {}, annotations = {} } = of;
  const { owner = null, image = 'shop/web:1', status = {}, padding = 0, version = '1' } = of;
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion: version,
      labels,
      annotations,
      ...(owner !== null && {
        ownerReferences: [
          { apiVersion: 'v1', kind: 'Node', name: 'not the one that manages it', uid: '1' },
          { apiVersion: 'apps/v1', ...owner, uid: '2', controller: true, blockOwnerDeletion: true },
        ],
      }),
      managedFields: [
        { manager: 'kubelet', operation: 'Update', fieldsV1: { 'f:status': { padding: '{"]}'.repeat(padding / 4) } } },
      ],
    },
    spec: {
      nodeName: node,
      containers: [{ name: 'app', image, resources: {} }],
      initContainers: [{ name: 'init-db', image: 'shop/init:1' }],
    },
    status: { phase: 'Running', podIP: '10.0.0.7', ...status },
  };
}

export interface ListOptions {
  readonly version?: string;
  readonly next?: string;
}

export function listOf(pods: readonly object[], { version = '10', next = '' }: ListOptions = {}): string {
  const metadata = { resourceVersion: version, ...(next !== '' && { continue: next, remainingItemCount: 1 }) };
  return `${JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata, items: pods })}\n`;
}

export function eventOf(type: 'ADDED' | 'MODIFIED' | 'DELETED', pod: object): string {
  return `${JSON.stringify({ type, object: { kind: 'Pod', apiVersion: 'v1', ...pod } })}\n`;
}

export function bookmark(version: string): string {
  const object = { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: version, creationTimestamp: null } };
  return `${JSON.stringify({ type: 'BOOKMARK', object })}\n`;
}

/** As an API says it of a version that it has no more. */
export const EXPIRED = {
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: 'too old resource version: 10 (2000)',
  reason: 'Expired',
  code: 410,
};
