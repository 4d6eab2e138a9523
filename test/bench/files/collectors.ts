// The two that the bench of files compares, each started on files that are not there yet, with acknowledgements from
// Kafka that mean something: Sluice as it is, and the OpenTelemetry Collector with the settings under which its places
// in files move only behind what Kafka has.
//
//   stanza.synchronousLogEmitter   else lines that wait for their batch are taken for sent (alpha, off by default)
//   wait_for_result                a reader waits until its lines' batch is with Kafka; batches take those of all files
//   block_on_overflow              nothing is dropped where the queue is full
//   retry_on_failure               for ever
//   required_acks all, zstd 1      as Sluice writes

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '#test/backends/free-port.ts';
import { isInstallable, programOf } from '#test/clients/installed.ts';
import { type ServiceUnderTest, startService, startUnderTest } from '../parts/child-process.ts';

const LINES_PER_BATCH = 2048;

interface CollectorPlace {
  /** Pattern of the files. */
  readonly include: string;
  /** Of its own, for places and such. */
  readonly dataDir: string;
  readonly brokers: readonly string[];
  readonly topic: string;
  /** Settings of Sluice for this queue. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Collector {
  readonly title: string;
  /** How many lines Kafka has acknowledged, by its own count. */
  readonly acknowledged: string;
  start(place: CollectorPlace): Promise<ServiceUnderTest>;
}

export const sluice: Collector = {
  title: 'Sluice',
  acknowledged: 'sluice_events_produced_total',
  async start({ include, dataDir, env }) {
    const file = join(dataDir, 'sluice.yaml');
    await mkdir(dataDir, { recursive: true });
    await writeFile(file, JSON.stringify({ collect: { files: [{ include: [include] }] } }));
    return startUnderTest('forwarder', { ...env, SLUICE_CONFIG: file, SLUICE_DATA_DIR: dataDir });
  },
};

/** Null where it cannot be built: there is no Go. */
export async function filelog(): Promise<Collector | null> {
  if (!(await isInstallable('go-collector'))) return null;
  const program = await programOf('go-collector');
  return {
    title: 'filelog',
    acknowledged: 'otelcol_exporter_sent_log_records',
    async start(place) {
      const { dataDir } = place;
      const port = await freePort();
      const file = join(dataDir, 'collector.yaml');
      await mkdir(dataDir, { recursive: true });
      await writeFile(file, JSON.stringify(configOf(place, port)));
      const url = `http://127.0.0.1:${port}/metrics`;
      const args = ['--config', file, '--feature-gates=stanza.synchronousLogEmitter'];
      return startService({ command: [program, ...args], readyUrl: url, metricsUrl: url });
    },
  };
}

function configOf({ include, dataDir, brokers, topic }: CollectorPlace, metricsPort: number): object {
  const forEver = { enabled: true, max_elapsed_time: '0s' };
  return {
    extensions: { file_storage: { directory: join(dataDir, 'places'), create_directory: true } },
    receivers: {
      filelog: {
        include: [include],
        start_at: 'beginning',
        include_file_name: false,
        include_file_path: true,
        storage: 'file_storage',
        retry_on_failure: forEver,
      },
    },
    exporters: {
      kafka: {
        brokers,
        logs: { topic },
        producer: {
          required_acks: 'all',
          compression: 'zstd',
          compression_params: { level: 1 },
          allow_auto_topic_creation: false,
        },
        retry_on_failure: forEver,
        sending_queue: {
          enabled: true,
          sizer: 'items',
          queue_size: 100_000,
          wait_for_result: true,
          block_on_overflow: true,
          batch: { flush_timeout: '50ms', min_size: LINES_PER_BATCH, max_size: LINES_PER_BATCH },
        },
      },
    },
    service: {
      extensions: ['file_storage'],
      pipelines: { logs: { receivers: ['filelog'], exporters: ['kafka'] } },
      telemetry: {
        logs: { level: 'error' },
        metrics: { readers: [{ pull: { exporter: { prometheus: { host: '127.0.0.1', port: metricsPort } } } }] },
      },
    },
  };
}
