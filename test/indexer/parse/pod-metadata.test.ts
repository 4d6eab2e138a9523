// The map `kubernetes` that the collector of pods puts beside an entry's time counts as the record's own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { knownPodOf, metadataOf } from '#forwarder/decode/kubernetes/pod-object.ts';
import { podPathOf } from '#forwarder/decode/containers/pod-path.ts';
import { Entry } from '#indexer/parse/entry.ts';
import { TraceGate } from '#indexer/parse/document/trace-gate.ts';
import { podObject, UID } from '../../forwarder/decode/kubernetes/pod-objects.ts';
import { documentOf } from './documents.ts';

const TIME = 1_767_323_045;
const RECORD = {
  message: 'x',
  'kubernetes.namespace': 'shop',
  'kubernetes.pod.name': 'web-1',
  'kubernetes.container.name': 'app',
};
const NAMES = { namespace: 'shop', pod: { name: 'web-1' }, container: { name: 'app' } };

function entryWith(metadata: Uint8Array | object, record: object = RECORD): Uint8Array {
  const packed = metadata instanceof Uint8Array ? metadata : encode(metadata);
  return Buffer.concat([Buffer.from([0x92, 0x92]), encode(TIME), packed, encode(record)]);
}

function check(metadata: Uint8Array | object, expected: object, record?: object): void {
  const document = documentOf(entryWith(metadata, record));
  const told = ['container', 'kubernetes', 'service', 'attributes'];
  assert.deepEqual(Object.fromEntries(Object.entries(document).filter(([name]) => told.includes(name))), expected);
  assert.equal(document['@timestamp'], '2026-01-02T03:04:05.000Z');
}

test('what the collector says of a pod', () => {
  const pod = knownPodOf(
    podObject({
      labels: { 'app.kubernetes.io/name': 'web', 'pod-template-hash': '5d8f' },
      annotations: { team: 'checkout' },
      owner: { kind: 'ReplicaSet', name: 'web-5d8f' },
      status: { containerStatuses: [{ name: 'app', restartCount: 0, containerID: 'containerd://c0' }] },
    }),
    { node: 'node-1', isLabel: () => true, isAnnotation: () => true },
  );
  const path = podPathOf(`/var/log/pods/shop_web-1_${UID}/app/0.log`);
  assert.ok(pod !== null && path !== null);
  check(metadataOf(pod, path), {
    container: { id: 'c0', name: 'app', image: { name: 'shop/web:1' } },
    kubernetes: {
      ...NAMES,
      pod: { name: 'web-1', ip: '10.0.0.7' },
      node: { name: 'node-1' },
      deployment: { name: 'web' },
      replicaset: { name: 'web-5d8f' },
      labels: { app_kubernetes_io_name: 'web', 'pod-template-hash': '5d8f' },
      annotations: { team: 'checkout' },
    },
    service: { name: 'web' },
  });
});

test('other metadata stays what it was', () => {
  const container = { name: 'app' };
  check({ kubernetes: { labels: { a: 'b' } } }, { container, kubernetes: { ...NAMES, labels: { a: 'b' } } });
  check({ kubernetes: {} }, { container, kubernetes: NAMES });
  for (const metadata of [
    { kubernetes: 'a' },
    { kubernetes: { labels: { a: 'b' } }, other: 1 },
    { kubernetez: { labels: {} } },
    { otlp: {} },
  ])
    // prettier-ignore
    check(metadata, { container, kubernetes: NAMES, attributes: { 'fluentd.metadata': metadata } });
  // A record that says it itself is believed.
  const own = { message: 'x', kubernetes: { labels: { own: 'yes' } } };
  const said = { kubernetes: { labels: { a: 'b' } } };
  check(said, { kubernetes: { labels: { own: 'yes' } }, attributes: { 'fluentd.metadata': said } }, own);
});

test('a trace goes on where more is known of its pod than when it began', () => {
  const gate = new TraceGate();
  const entry = new Entry();
  const sourceOf = (metadata: object, message: string): string => {
    const bytes = entryWith(metadata, { ...RECORD, message });
    assert.equal(entry.find(bytes, 0, bytes.length), true);
    assert.equal(gate.wants(bytes, entry, 0), true);
    return gate.source;
  };
  const opening = 'java.lang.IllegalStateException: no';
  const before = sourceOf({}, opening);
  assert.equal(sourceOf({ kubernetes: { 'container.id': 'c0' } }, opening), before);
});

test('a wrapped line that is unwrapped keeps it', () => {
  const line = '{"log":"within\\n","stream":"stdout","time":"2026-01-02T03:04:05.000000000Z"}';
  const document = documentOf(entryWith({ kubernetes: { labels: { a: 'b' } } }, { ...RECORD, message: line }));
  assert.deepEqual(document['kubernetes'], { ...NAMES, labels: { a: 'b' } });
});
