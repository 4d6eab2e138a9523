// Lines are found by the names of where they came from, as their senders told them and the indexer wrote them: alike in
// every store.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { BulkBody } from '#indexer/bulk/body.ts';
import { DocumentWriter } from '#indexer/parse/document/document.ts';
import type { StoreQuery } from '#shared/store/store.ts';
import { parseQuery } from '#shared/store/query/parser.ts';
import { batch } from '#test/indexer/parse/documents.ts';
import { day, readStores } from './stores.ts';

const ID = 'beef'.padEnd(64, '0');
const { since, until, at } = day(23);
const second = Math.trunc(Date.parse(at(0)) / 1000);

/** By what is in its message: tag and record. */
const SENT: Readonly<Record<string, readonly [tag: string, record: Record<string, unknown>]>> = {
  compose: ['docker.1', { container_name: '/shop-web-1', 'com.docker.compose.service': 'web' }],
  attrs: ['docker.2', { attrs: { 'com.docker.compose.service': 'web', 'com.docker.compose.project': 'shop' } }],
  filebeat: ['beats', { container: { labels: { com_docker_compose_service: 'web', 'a.b/c': 'x' } } }],
  swarm: ['docker.3', { 'com.docker.swarm.service.name': 'shop_web', 'com.docker.stack.namespace': 'shop' }],
  filter: [
    'kube',
    { kubernetes: { pod_name: 'pay-0', namespace_name: 'prod', labels: { 'app.kubernetes.io/name': 'pay' } } },
  ],
  tail: [`kubernetes.var.log.containers.pay-0_prod_api-${ID}.log`, {}],
  kubelet: ['docker.4', { container_name: '/k8s_api_pay-1_prod_2f6c_0' }],
  otel: ['otel', { 'k8s.pod.name': 'pay-1', 'k8s.cluster.name': 'east', 'service.version': '1.2' }],
  both: ['kube', { kubernetes: { labels: { 'a.b': 'x', a_b: 'y' } } }],
};

for (const { name, options, use } of readStores) {
  describe(name, options, () => {
    const stored = use();

    it('finds lines by where they came from', async () => {
      const body = new BulkBody();
      const writer = new DocumentWriter(body, { dataStream: stored.stream });
      for (const [i, [message, [tag, record]]] of Object.entries(SENT).entries()) {
        writer.startBatch({ ...batch, id: Buffer.alloc(16, 11), tag, seq: 0 }, batch.receivedMs);
        const entry = encode([second, { log: message, ...record }]);
        assert.equal(writer.write(entry, 0, entry.length, i), 'ok');
      }
      for (const { status, errorReason } of await stored.store.bulk(body.request()))
        assert.equal(status, 201, errorReason ?? '');
      await stored.opened.refresh();

      const search = async (query: Partial<StoreQuery>) =>
        (await stored.search({ since, until, ...query })).map(({ source }) => String(source['message'])).toSorted();
      const named = async (wanted: string, ...expected: string[]) =>
        assert.deepEqual(await search({ name: wanted }), expected.toSorted(), wanted);
      await named('web', 'compose', 'attrs', 'filebeat');
      await named('shop_web', 'swarm');
      await named('shop-web-1', 'compose');
      await named('pay', 'filter');
      await named('pay-0', 'filter', 'tail');
      await named('pay-1', 'kubelet', 'otel');
      await named('pay-*', 'filter', 'tail', 'kubelet', 'otel');
      await named('api', 'tail');
      await named('beef', 'tail');
      await named('prod');

      const where = async (text: string, ...expected: string[]) => {
        const parsed = parseQuery(text, { nowMs: 0 });
        assert('where' in parsed, text);
        assert.deepEqual(await search({ where: parsed.where }), expected.toSorted(), text);
      };
      await where('pod:pay-1', 'kubelet', 'otel');
      await where('namespace:prod', 'filter', 'tail', 'kubelet');
      await where('k8s.cluster.name:east', 'otel');
      await where('service.version:1.2', 'otel');
      await where('orchestrator.namespace:shop', 'attrs', 'swarm');
      await where('com.docker.compose.service:web', 'compose', 'attrs', 'filebeat');
      await where('container.labels.com.docker.compose.service:web', 'filebeat');
      await where('container.labels.a.b/c:x', 'filebeat');
      await where('container.labels.a_b_c:x', 'filebeat');
      await where('kubernetes.labels.app.kubernetes.io/name:pay', 'filter');
      await where('kubernetes.labels.a.b:x', 'both');
      await where('kubernetes.labels.a_b:y', 'both');
    });
  });
}
