// Where an event came from, by whatever names its sender tells it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batch, documentOf, entryOf, TRUSTED } from './documents.ts';

const ID = 'c0ffee'.padEnd(64, '0');
const OTHER_ID = 'decade'.padEnd(64, '1');
const UID = '2f6c1a52-91b1-4b3e-9e0a-2b2d5c9f1c11';

type Fields = Readonly<Record<string, unknown>>;

/** The document has these of its fields that tell an origin, and these attributes, and no others of them. */
function check(
  record: Fields,
  expected: Fields,
  options: { readonly tag?: string; readonly tenant?: string } = {},
): void {
  const { tag = batch.tag, tenant = null } = options;
  const document = documentOf(entryOf(record), { batch: { ...batch, tag, tenant } });
  const told = ['container', 'kubernetes', 'orchestrator', 'service', 'attributes'];
  const shown = Object.fromEntries(Object.entries(document).filter(([name]) => told.includes(name)));
  assert.deepEqual(shown, expected, JSON.stringify(document));
}

test("Docker's labels", () => {
  const compose = {
    'com.docker.compose.service': 'web',
    'com.docker.compose.project': 'shop',
    'com.docker.compose.container-number': '1',
  };
  const left = { 'com.docker.compose.container-number': '1' };
  const become = { service: { name: 'web' }, orchestrator: { namespace: 'shop' } };
  check(
    { log: 'x', container_name: '/shop-web-1', ...compose },
    { container: { name: 'shop-web-1' }, ...become, attributes: left },
  );
  // As the drivers json-file and splunk, Filebeat and Vector have them: the map stays whole.
  check({ log: 'x', attrs: compose }, { ...become, attributes: { attrs: compose } });
  check({ log: 'x', label: compose }, { ...become, attributes: { label: compose } });
  const safe = {
    com_docker_compose_service: 'web',
    com_docker_compose_project: 'shop',
    'com_docker_compose_container-number': '1',
  };
  check({ log: 'x', container: { labels: compose } }, { container: { labels: safe }, ...become });
  check({ log: 'x', container: { labels: safe, id: ID } }, { container: { labels: safe, id: ID }, ...become });
  check({ log: 'x', 'container.labels': safe }, { container: { labels: safe }, ...become });
  // As the journal's driver has them, Loki's, and log-pilot.
  check({ log: 'x', COM_DOCKER_COMPOSE_SERVICE: 'web', COM_DOCKER_COMPOSE_PROJECT: 'shop' }, become);
  check({ log: 'x', compose_service: 'web', compose_project: 'shop' }, become);
  check(
    { log: 'x', docker_service: 'web', docker_app: 'shop', docker_container: 'w' },
    { container: { name: 'w' }, ...become },
  );
  check(
    { log: 'x', 'com.docker.swarm.service.name': 'shop_web', 'com.docker.stack.namespace': 'shop' },
    { service: { name: 'shop_web' }, orchestrator: { namespace: 'shop' } },
  );
  check(
    {
      log: 'x',
      'io.kubernetes.pod.name': 'p',
      'io.kubernetes.pod.namespace': 'n',
      'io.kubernetes.pod.uid': UID,
      'io.kubernetes.container.name': 'c',
    },
    {
      container: { name: 'c' },
      kubernetes: { namespace: 'n', pod: { name: 'p', uid: UID }, container: { name: 'c' } },
    },
  );
});

test('a service: by a name of its own, by labels, by the line, by the labels of its pod', () => {
  const labels = { 'app.kubernetes.io/name': 'pods', 'app.kubernetes.io/version': '3' };
  const kept = { app_kubernetes_io_name: 'pods', app_kubernetes_io_version: '3' };
  const pod = { kubernetes: { labels } };
  const line = '{"service":"line","service.version":"2","message":"m"}';
  const of = (service: Fields, more: Fields = {}) => ({ kubernetes: { labels: kept }, service, ...more });
  check({ log: 'x', ...pod }, of({ name: 'pods', version: '3' }));
  check({ log: line, ...pod }, of({ name: 'line', version: '2' }));
  check(
    { log: line, ...pod, 'com.docker.compose.service': 'web' },
    of({ name: 'web', version: '2' }, { attributes: { service: 'line' } }),
  );
  check(
    { log: 'x', ...pod, service: 'own', 'service.version': '1', 'com.docker.compose.service': 'web' },
    of({ name: 'own', version: '1' }, { attributes: { 'com.docker.compose.service': 'web' } }),
  );
  // What the journal says of a container is its id.
  check(
    { MESSAGE: 'x', SYSLOG_IDENTIFIER: 'c0ffee000000', COM_DOCKER_COMPOSE_SERVICE: 'web' },
    { service: { name: 'web' }, attributes: { SYSLOG_IDENTIFIER: 'c0ffee000000' } },
  );
  check(
    { log: 'x', attrs: { 'org.opencontainers.image.version': '4' } },
    { service: { version: '4' }, attributes: { attrs: { 'org.opencontainers.image.version': '4' } } },
  );
  check(
    { log: 'x', SERVICE_ID: 'theirs', 'com.docker.compose.service': 'web' },
    { service: { name: 'theirs' }, attributes: { 'com.docker.compose.service': 'web' } },
    { tenant: TRUSTED },
  );
  check(
    { log: 'x', service: 1, attrs: { 'com.docker.compose.service': ['web'] } },
    {
      attributes: { service: 1, attrs: { 'com.docker.compose.service': ['web'] } },
    },
  );
});

test('a name of the kubelet', () => {
  const name = `k8s_web_shop-7d9f_prod_${UID}_3`;
  const become = {
    container: { name },
    kubernetes: { namespace: 'prod', pod: { name: 'shop-7d9f', uid: UID }, container: { name: 'web' } },
  };
  check({ log: 'x', container_name: `/${name}` }, become);
  check({ log: 'x', 'container.name': name }, become);
  check(
    { log: 'x', container_name: name, k8s_pod: 'other' },
    { ...become, kubernetes: { ...become.kubernetes, pod: { name: 'other', uid: UID } } },
  );
  for (const other of [
    'k8s_',
    'k8s',
    'k8s_a_b_c_d',
    'k8s_a_b_c_d_',
    'k8s_a__c_d_0',
    'k8s__b_c_d_0',
    'k8s_a_b_c_d_0_1',
    'k8s_a_b_c__0',
  ])
    check({ log: 'x', container_name: other }, { container: { name: other } });
});

test('a tag of a tailed file', () => {
  const pod = { namespace: 'prod', pod: { name: 'shop-7d9f.x' }, container: { name: 'web-app' } };
  const container = { id: ID, name: 'web-app' };
  const tail = `var.log.containers.shop-7d9f.x_prod_web-app-${ID}.log`;
  for (const tag of [tail, `kubernetes.${tail}`, `kube.${tail}`, `file.var.log.x.${tail}`])
    check({ log: 'x' }, { container, kubernetes: pod }, { tag });
  check(
    { log: 'x' },
    {
      container: { name: 'web' },
      kubernetes: { namespace: 'prod', pod: { name: 'p.q', uid: UID }, container: { name: 'web' } },
    },
    { tag: `file.var.log.pods.prod_p.q_${UID}.web.0.log` },
  );
  check({ log: 'x' }, { container: { id: ID } }, { tag: `file.var.lib.docker.containers.${ID}.${ID}-json.log` });
  // What the record says counts more, field by field.
  check(
    { log: 'x', container_id: OTHER_ID, kubernetes: { pod_name: 'p', container_name: 'c' } },
    { container: { id: OTHER_ID, name: 'c' }, kubernetes: { ...pod, pod: { name: 'p' }, container: { name: 'c' } } },
    { tag: tail },
  );
  // The tag before leaves nothing behind.
  for (const tag of [
    'app.web',
    `xvar.log.containers.p_n_c-${ID}.log`,
    `var.log.containers.p_n_c-${ID}.log.1`,
    `var.log.containers.p_n_c-${ID.slice(1)}.log`,
    `var.log.containers.p_n-${ID}.log`,
    `var.log.containers.p_n_c_d-${ID}.log`,
    `var.lib.docker.containers.${ID}.${OTHER_ID}-json.log`,
    'var.log',
    '',
  ])
    check({ log: 'x' }, {}, { tag });
});

const kubernetes = {
  namespace: 'n',
  pod: { name: 'p', uid: UID, ip: '10.0.0.1' },
  container: { name: 'c' },
  node: { name: 'h' },
};
const container = { name: 'c' };

test('names of log-pilot and OpenTelemetry', () => {
  check(
    { log: 'x', k8s_pod: 'p', k8s_pod_namespace: 'n', k8s_container_name: 'c', k8s_node_name: 'h' },
    { container, kubernetes: { ...kubernetes, pod: { name: 'p' } } },
  );
  check(
    {
      log: 'x',
      'k8s.pod.name': 'p', 'k8s.pod.uid': UID, 'k8s.pod.ip': '10.0.0.1', 'k8s.namespace.name': 'n',
      'k8s.container.name': 'c', 'k8s.node.name': 'h', 'k8s.deployment.name': 'd', 'k8s.cluster.name': 'east',
      'service.name': 's', 'service.version': '1', 'container.runtime': 'containerd',
    },
    {
      container: { ...container, runtime: 'containerd' },
      kubernetes: { ...kubernetes, deployment: { name: 'd' } },
      orchestrator: { cluster: { name: 'east' } },
      service: { name: 's', version: '1' },
    },
  ); // prettier-ignore
});

test('the map `kubernetes` of Filebeat and Vector', () => {
  check(
    {
      log: 'x',
      container: { id: ID, runtime: 'docker', image: { name: 'm' } },
      kubernetes: {
        namespace: 'n', namespace_uid: 'nu', namespace_labels: { 'a/b': 'c' },
        pod: kubernetes.pod, container: { name: 'c', other: 1 }, node: { name: 'h', uid: 'hu', labels: { z: 1 } },
        labels: { app: 'x' }, deployment: { name: 'd' }, replicaset: { name: 'r' }, statefulset: { name: 's' },
      },
      orchestrator: { cluster: { name: 'east', url: 'u' } },
    },
    {
      container: { id: ID, name: 'c', runtime: 'docker', image: { name: 'm' } },
      kubernetes: {
        ...kubernetes, namespace_uid: 'nu', namespace_labels: { a_b: 'c' },
        node: { name: 'h', uid: 'hu' }, labels: { app: 'x' },
        deployment: { name: 'd' }, replicaset: { name: 'r' }, statefulset: { name: 's' },
      },
      orchestrator: { cluster: { name: 'east', url: 'u' } },
      attributes: { kubernetes: { container: { other: 1 }, node: { labels: { z: 1 } } } },
    },
  ); // prettier-ignore
  check(
    {
      message: 'x',
      kubernetes: {
        pod_name: 'p', pod_namespace: 'n', pod_uid: UID, pod_ip: '10.0.0.1', pod_node_name: 'h', container_name: 'c',
        pod_labels: { 'a.b': 'c' }, pod_annotations: { 'a/b': 'c' }, pod_owner: 'o',
      },
    },
    {
      container,
      kubernetes: { ...kubernetes, labels: { a_b: 'c' }, annotations: { a_b: 'c' } },
      attributes: { kubernetes: { pod_owner: 'o' } },
    },
  ); // prettier-ignore
});

test('a name with dots; a second name for what is told already; what is no text', () => {
  check({ log: 'x', 'kubernetes.pod.name': 'p' }, { kubernetes: { pod: { name: 'p' } } });
  check(
    {
      log: 'x',
      'k8s.pod.name': 'p',
      k8s_pod: 'q',
      kubernetes: { pod: { name: 'r' }, namespace: { name: 'n' } },
      'k8s.node.name': 1,
    },
    {
      kubernetes: { pod: { name: 'p' } },
      attributes: { k8s_pod: 'q', 'k8s.node.name': 1, kubernetes: { pod: { name: 'r' }, namespace: { name: 'n' } } },
    },
  );
});

test('what a line says of its origin is not believed', () => {
  const line = JSON.stringify({
    message: 'm',
    'kubernetes.pod.name': 'p',
    container: { id: ID },
    attrs: { 'com.docker.compose.service': 's' },
  });
  check(
    { log: line },
    {
      attributes: { 'kubernetes.pod.name': 'p', container: { id: ID }, attrs: { 'com.docker.compose.service': 's' } },
    },
  );
});
