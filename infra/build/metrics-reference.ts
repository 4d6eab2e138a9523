// The reference of metrics, docs/metrics.md, made from what the parts register. A test holds the file to it.

import { FileTelemetry } from '#forwarder/collect/files/telemetry.ts';
import { JournalTelemetry } from '#forwarder/collect/journal/telemetry.ts';
import { observeSpool } from '#forwarder/intake/spool-telemetry.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { Ledger } from '#indexer/settle/ledger.ts';
import { IndexerTelemetry } from '#indexer/settle/telemetry.ts';
import { TopicSlots } from '#indexer/settle/topic-slots.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { type MetricFacts, Metrics } from '#shared/metrics.ts';
import { AdminTelemetry } from '../../services/sluice/admin/telemetry.ts';
import { LagTelemetry } from '../../services/sluice/lag/telemetry.ts';
import { ReadTelemetry } from '../../services/sluice/read/telemetry.ts';
import { turnHistogram, watchService, watchStore } from '../../services/sluice/process/telemetry.ts';
import { WorkersTelemetry } from '../../services/sluice/workers/telemetry.ts';

const nothing = (): void => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Registers all that each part can ever tell. */
const parts: Record<string, (metrics: Metrics) => void> = {
  'each service'(metrics) {
    watchService(metrics, loadConfig({ env: {}, readFile: () => '' }), { unreadyReason: null });
    turnHistogram(metrics);
  },
  forwarder(metrics) {
    const telemetry = new ForwarderTelemetry(metrics, log);
    telemetry.watch(new ByteBudget(1));
    telemetry.watchConnections(() => 0);
    telemetry.watchFrameFiles(() => 0);
    telemetry.watchCertificate('forward', () => 0);
    const figures = () => ({ events: 0, bytes: 0, bytesMax: 0, oldestMs: null, left: 0 });
    observeSpool({ telemetry, metrics, log, clock: systemClock, figures });
    const read = { sources: 0, open: 0, waiting: 0, unreadBytes: 0, unreadBytesMax: 0, unreadSeconds: 0 };
    new FileTelemetry(metrics, log, () => read);
    new JournalTelemetry(metrics, log, () => ({ isReading: true, behindSeconds: 0 }));
  },
  indexer(metrics) {
    const telemetry = new IndexerTelemetry({ metrics, log, clock: systemClock, slots: new TopicSlots('') });
    const writer = { waiting: { retry: 0, index: 0, store: 0 } };
    const limit = { inUse: 0, limit: 0 };
    telemetry.watch({ ledger: new Ledger(telemetry.ledger), writer, limit, partitions: () => [] });
    telemetry.watchBytes(new ByteBudget(1));
    telemetry.watchStore(() => true);
    watchStore({ metrics, log }, { watchSpace: nothing });
  },
  'admin page'(metrics) {
    new AdminTelemetry(metrics, log, systemClock).watchCertificate(() => 0);
  },
  'read API'(metrics) {
    const telemetry = new ReadTelemetry(metrics, log, systemClock);
    telemetry.watch(() => 0);
    telemetry.watchCertificate(() => 0);
  },
  'primary of workers'(metrics) {
    new WorkersTelemetry(metrics, log).watch({ up: () => 0, events: () => [] });
  },
  'lag exporter'(metrics) {
    new LagTelemetry(metrics, log, systemClock).watch({ lag: null, drainSeconds: 0, unreadyReason: null });
  },
};

/** Every metric of Sluice, by name, with the parts that tell it. */
export function metricFacts(): (MetricFacts & { readonly from: readonly string[] })[] {
  const all = new Map<string, MetricFacts & { from: string[] }>();
  for (const [part, register] of Object.entries(parts)) {
    const metrics = new Metrics({ version: '', command: '' });
    register(metrics);
    for (const facts of metrics.facts()) {
      const known = all.get(facts.name);
      if (known) known.from.push(part);
      else all.set(facts.name, { ...facts, from: [part] });
    }
  }
  return [...all.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function metricsReference(): string {
  const rows = metricFacts().map(({ name, type, labels, help, from }) => {
    const who = from.join(', ');
    return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${who} | ${help} |`;
  });
  return `# Metrics

Made from what the parts register (\`infra/build/metrics-reference.ts\`) by \`npm run docs\`; not written by hand.

Served at \`/metrics\` of \`SLUICE_ADMIN_LISTEN\` (the lag exporter: of \`SLUICE_LAG_LISTEN\`), as Prometheus text, or as OpenMetrics with exemplars
where that is asked for. Labels come from closed sets; a sender's values are never among them, but for tenants, of which the first hundred
have rows of their own. Beside these there are the \`process_*\` and \`nodejs_*\` metrics of prom-client: processor, memory, garbage collection, and
the delay of the event loop (\`nodejs_eventloop_lag_p99_seconds\`). That delay grows on a busy machine too; \`turn_seconds\` tells only what our own code took.

The ledger closes at any moment. Edge: \`events_received_total\` = \`events_produced_total\` + \`events_rejected_total\` + \`events_dropped_total{stage="edge"}\` +
\`events_inflight{stage="edge"}\`. Indexer: \`events_consumed_total\` = \`events_indexed_total\` + \`events_deduplicated_total\` +
\`events_dead_lettered_total\` + \`events_dropped_total{stage="indexer"}\` + \`events_abandoned_total\` + \`events_inflight{stage="indexer"}\`.
\`ledger_imbalance\` is the difference.

| metric | type | labels | from | |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
