// Ten containers that print stack traces of nine languages, line by line, some through one connection; an indexer is
// killed, and a drain job goes on. At the end each line is in Elasticsearch once, in its order, and a trace that
// is not one document is marked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '#shared/config/load.ts';
import { elasticsearch } from '#test/backends/elasticsearch.ts';
import { kafka } from '#test/backends/kafka.ts';
import { ForwardClient } from '#test/clients/forward-client.ts';
import { removeTopics } from '#test/contract/queue-places.ts';
import { numberedTraces } from '#test/fixtures/numbered-traces.ts';
import { type Find, field, inElasticsearch } from '../parts/documents.ts';
import { ownTopic } from '../parts/own-topic.ts';
import { SluiceProcess, newPlace, sluice } from '../parts/sluice-process.ts';

const broker = await kafka();
const server = await elasticsearch();
const CONTAINERS = 10;
const ROUNDS = 1;
const KILL_AFTER_MS = 2500;
/** Long enough for a busy machine. */
const WAIT_MS = 5000;
/** Two of them are less than the wait: what is acked later may have been received or appended later. */
const GAP_MS = 2000;
/** Of all traces: what drains and stretches cut, with room for a slow machine. */
const MARKED_SHARE_MAX = 0.25;

interface Printed {
  readonly text: string;
  /** Two of its lines were acked so far apart that a gap may have ended it. */
  hasGap: boolean;
}

interface Container {
  readonly id: string;
  readonly tag: string;
  readonly said: string[];
  readonly traces: Printed[];
}

async function speak(container: Container, client: ForwardClient, ended: AbortSignal): Promise<void> {
  const { id, tag, said } = container;
  for (let round = 0; !ended.aborted; round++) {
    const n = `${id.slice(1)}.${round}`;
    const lines = numberedTraces[(round + Number(id.slice(1))) % numberedTraces.length]?.lines(n) ?? [];
    const printed: Printed = { text: lines.join('\n'), hasGap: false };
    container.traces.push(printed);
    let ackedMs = performance.now();
    const all = [...lines, ...Array.from({ length: 2 }, (_, i) => `2026-11-22 INFO ordinary ${n}.${i}`)];
    said.push(...all);
    // Of one line or a few, as they are printed.
    for (let at = 0, count = 1; at < all.length; at += count, count = (count % 3) + 1) {
      const timeNs = BigInt(Date.now()) * 1_000_000n;
      const some = all.slice(at, at + count);
      const events = some.map((log) => ({ timeNs, record: { container_id: id, source: 'stderr', log } }));
      await client.send(tag, events, 'packed');
      if (performance.now() - ackedMs > GAP_MS) printed.hasGap = true;
      ackedMs = performance.now();
      await delay(3);
    }
  }
}

/** Whether each line is there once, in its order, and what is not whole is marked. */
async function compare(
  containers: readonly Container[],
  find: Find,
): Promise<{ count: number; marked: number; apart: number }> {
  const stored = (await Promise.all([...new Set(containers.map(({ tag }) => tag))].map(find))).flat();
  let count = 0;
  let marked = 0;
  let apart = 0;
  for (const { id, said, traces: printed } of containers) {
    const documents = stored
      .filter((document) => field(document, 'container.id') === id)
      .sort((a, b) => Number(field(a, 'event.sequence')) - Number(field(b, 'event.sequence')));
    const texts = documents.map((document) => String(field(document, 'event.original') ?? field(document, 'message')));
    assert.equal(texts.join('\n'), said.join('\n'), `${id}: each line once, in order`);
    const flagsOf = (text: string): string => JSON.stringify(field(documents[texts.indexOf(text)] ?? {}, 'log.flags'));
    for (const { text: trace, hasGap } of printed) {
      count++;
      if (flagsOf(trace) === '["multiline"]') continue;
      if (hasGap) {
        apart++;
        continue;
      }
      marked++;
      const part = texts.find((text) => text !== '' && (trace === text || trace.startsWith(`${text}\n`)));
      assert.match(flagsOf(part ?? ''), /"partial"/, `a trace that is not whole is marked: ${trace}`);
    }
  }
  return { count, marked, apart };
}

test(
  'stack traces of interleaved containers, an indexer killed, and a drain job after it',
  { skip: broker && server ? false : 'SKIPPED: no Kafka or no Elasticsearch' },
  async (t) => {
    const environment = {
      ...ownTopic(broker?.brokers),
      SLUICE_KAFKA_PARTITIONS: '3',
      SLUICE_ELASTICSEARCH_URL: server?.url ?? '',
      SLUICE_BULK_TIMEOUT_MS: '2s',
      SLUICE_MULTILINE_WAIT_MS: `${WAIT_MS}`,
    };
    const config = loadConfig({ env: environment, readFile: () => '' });
    const setup = await sluice(['setup'], null, environment);
    assert.equal(setup.code, 0, setup.stderr);
    t.after(() => removeTopics(config));
    await using place = await newPlace();
    await using indexerPlace = await newPlace();
    await using _forwarder = await new SluiceProcess(['forwarder'], place, environment).ready();

    const name = environment.SLUICE_KAFKA_TOPIC.replace('sluice-test', 'traces');
    const containers = Array.from({ length: CONTAINERS }, (_, i): Container => {
      // Half of them come through one connection, as of one node.
      return { id: `c${i}`, tag: i < CONTAINERS / 2 ? name : `${name}.${i}`, said: [], traces: [] };
    });
    const clients = Array.from({ length: CONTAINERS / 2 + 1 }, () => new ForwardClient(place.forward));
    const ended = new AbortController();
    const spoken = containers.map((container, i) =>
      speak(container, clients[Math.max(0, i - CONTAINERS / 2 + 1)] ?? clients[0]!, ended.signal),
    );
    for (let round = 0; round < ROUNDS; round++) {
      await using indexer = await new SluiceProcess(['indexer'], indexerPlace, environment).ready();
      await delay(KILL_AFTER_MS);
      await indexer.kill();
      const drained = await sluice(['indexer', '--drain', '--max-seconds', '50'], indexerPlace, environment);
      assert(drained.code === 0 || drained.code === 1, drained.stderr);
    }
    ended.abort();
    await Promise.all(spoken);
    for (const client of clients) await client[Symbol.asyncDispose]();
    // What the last words opened is over.
    await delay(2000);
    const drained = await sluice(['indexer', '--drain'], indexerPlace, environment);
    assert.equal(drained.code, 0, drained.stderr);

    const { count, marked, apart } = await compare(containers, inElasticsearch(server?.url ?? ''));
    t.diagnostic(
      `${count} traces, ${marked} marked (${((100 * marked) / count).toFixed(2)} %), ${apart} ended by a gap`,
    );
    assert(count > 300 && marked / count < MARKED_SHARE_MAX, `${marked} of ${count} are marked`);
  },
);
