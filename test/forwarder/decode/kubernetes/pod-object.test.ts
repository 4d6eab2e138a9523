// What a pod of the Kubernetes API tells of its lines; and lines of a watch.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { podPathOf } from '#forwarder/decode/containers/pod-path.ts';
import { ITEM_BYTES_MAX } from '#forwarder/decode/kubernetes/list-items.ts';
import { knownPodOf, metadataOf, withIdsBefore } from '#forwarder/decode/kubernetes/pod-object.ts';
import { watchEventOf, WatchLines } from '#forwarder/decode/kubernetes/watch-events.ts';
import { valueEnd } from '#shared/msgpack/extents.ts';
import { bookmark, eventOf, EXPIRED, podObject, type PodSpec, UID } from './pod-objects.ts';

const WANTS = {
  node: 'node-1',
  isLabel: (name: string) => !name.startsWith('no'),
  isAnnotation: (name: string) => name === 'team',
};
const NODE = { 'node.name': 'node-1', 'pod.ip': '10.0.0.7' };

function told(spec: PodSpec, { container = 'app', restarts = 0 } = {}): unknown {
  const pod = knownPodOf(podObject(spec), WANTS);
  const path = podPathOf(`/var/log/pods/shop_web-1_${pod?.uid}/${container}/${restarts}.log`);
  if (pod === null || path === null) return null;
  return (decode(metadataOf(pod, path)) as { kubernetes: unknown }).kubernetes;
}

const check = (spec: PodSpec, expected: object, of = {}): void =>
  assert.deepEqual(told(spec, of), { ...NODE, 'container.image': 'shop/web:1', ...expected });

test('owners', () => {
  const hash = { 'pod-template-hash': '5d8f9c7b6' };
  check({}, {});
  const deployed = { kind: 'ReplicaSet', name: 'web-5d8f9c7b6' };
  check(
    { owner: deployed, labels: hash },
    { 'replicaset.name': 'web-5d8f9c7b6', 'deployment.name': 'web', labels: hash },
  );
  check({ owner: deployed }, { 'replicaset.name': 'web-5d8f9c7b6' });
  check(
    { owner: { kind: 'ReplicaSet', name: '-5d8f9c7b6' }, labels: hash },
    { 'replicaset.name': '-5d8f9c7b6', labels: hash },
  );
  check({ owner: { kind: 'StatefulSet', name: 'db' } }, { 'statefulset.name': 'db' });
  check({ owner: { kind: 'DaemonSet', name: 'edge' } }, { 'daemonset.name': 'edge' });
  check(
    { owner: { kind: 'Job', name: 'report-29384610' } },
    { 'job.name': 'report-29384610', 'cronjob.name': 'report' },
  );
  check({ owner: { kind: 'Job', name: 'migrate-2' } }, { 'job.name': 'migrate-2' });
  check({ owner: { kind: 'Rollout', name: 'web' } }, {});
});

test('labels and annotations that are wanted', () => {
  check({ labels: { a: 'b', 'no/c': 'd' } }, { labels: { a: 'b' } });
  check({ annotations: { team: 'x', other: 'y' } }, { annotations: { team: 'x' } });
  check({ labels: { a: 'x'.repeat(600), b: 'c' } }, { labels: { b: 'c' } });
});

test('a container has the id of the run that the path tells', () => {
  const statusOf = (restartCount: number, id: string, last: string | null): object => ({
    containerStatuses: [
      { name: 'other', restartCount, containerID: 'containerd://other' },
      {
        name: 'app',
        restartCount,
        containerID: id,
        lastState: last === null ? {} : { terminated: { containerID: last } },
      },
    ],
    initContainerStatuses: [{ name: 'init-db', restartCount: 0, containerID: 'cri-o://i0' }],
  });
  const first = statusOf(0, 'containerd://c0', null);
  const second = statusOf(1, 'containerd://c1', 'containerd://c0');
  check({ status: first }, { 'container.id': 'c0' });
  check({ status: first }, {}, { restarts: 1 });
  check({ status: second }, { 'container.id': 'c1' }, { restarts: 1 });
  check({ status: second }, { 'container.id': 'c0' }, { restarts: 0 });
  // It waits for its next run: what has ended is told twice.
  check({ status: statusOf(1, 'containerd://c1', 'containerd://c1') }, {}, { restarts: 0 });
  check({ status: first }, { 'container.image': 'shop/init:1', 'container.id': 'i0' }, { container: 'init-db' });
  const [before, after] = [first, statusOf(2, 'containerd://c2', 'containerd://c1')].map((status) =>
    knownPodOf(podObject({ status }), WANTS),
  );
  assert.ok(before && after);
  assert.deepEqual(
    [...(withIdsBefore(after, before).containers.get('app')?.ids ?? [])],
    [
      [0, 'c0'],
      [1, 'c1'],
      [2, 'c2'],
    ],
  );
});

test('what is no pod of this node', () => {
  for (const object of [null, 1, 'a', [], {}, { metadata: 1 }, podObject({ node: 'node-2' }), podObject({ name: '' })])
    assert.equal(knownPodOf(object, WANTS), null);
  const mirror = knownPodOf(podObject({ annotations: { 'kubernetes.io/config.hash': 'f'.repeat(32) } }), WANTS);
  assert.equal(mirror?.uid, 'f'.repeat(32), 'the folder of a static pod is named after its hash');
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      const pod = knownPodOf(
        {
          ...podObject(),
          status: a,
          metadata: { ...podObject().metadata, ownerReferences: b, labels: a, annotations: b },
        },
        WANTS,
      );
      const path = podPathOf(`/var/log/pods/shop_web-1_${UID}/app/0.log`);
      if (pod === null || path === null) return;
      const metadata = metadataOf(pod, path);
      assert.equal(valueEnd(metadata, 0, metadata.length), metadata.length);
    }),
  );
});

test('lines of a watch, however they are cut', () => {
  const text =
    eventOf('ADDED', podObject({ version: '11' })) + bookmark('12') + eventOf('DELETED', podObject({ version: '13' }));
  const bytes = Buffer.from(text + `{"type":"ERROR","object":${JSON.stringify(EXPIRED)}}\n{"type":"ADD`);
  const whole = ['put 11', 'bookmark 12', 'removed 13', 'error 410'];
  for (let at = 0; at <= bytes.length; at += 1) {
    const lines = new WatchLines();
    const read = [bytes.subarray(0, at), bytes.subarray(at)].flatMap((piece) => lines.push(piece) ?? []);
    const shown = read
      .map(watchEventOf)
      .map((event) => (event?.type === 'error' ? `error ${event.code}` : `${event?.type} ${event?.version}`));
    assert.deepEqual(shown, whole, `at ${at}`);
  }
  for (const line of [
    '',
    '{',
    'null',
    '{}',
    '{"type":"ADDED"}',
    '{"type":1,"object":{}}',
    '{"type":"ADDED","object":{"metadata":{}}}',
  ])
    assert.equal(watchEventOf(line), null, line);
  assert.equal(watchEventOf('{"type":"toString","object":{"metadata":{"resourceVersion":"1"}}}')?.type, 'bookmark');
  const lines = new WatchLines();
  let pushed = 0;
  while (lines.push(Buffer.alloc(1024 * 1024, 'a')) !== null) pushed += 1;
  assert.equal(pushed, ITEM_BYTES_MAX / 1024 / 1024);
});
