// Imports files while no Sluice has the data folder: into the queue, and where that is here too, on into the store.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { loadAdmission } from '#forwarder/admit/admission.ts';
import { openIntake } from '#forwarder/build-intake.ts';
import type { ImportedFile, ImportRequest, ImportWatch } from '#forwarder/collect/imports/file-imports.ts';
import { FilesInput } from '#forwarder/collect/files-input.ts';
import { FileTelemetry } from '#forwarder/collect/files/telemetry.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Clock } from '#shared/clock.ts';
import type { Log } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { openStore } from '#shared/open/open-store.ts';
import { observeInLog } from '#shared/queue/queue-observer.ts';
import type { Queue } from '#shared/queue/queue.ts';
import { errorsOnly } from '../output/errors-only.ts';
import { VERSION } from '../process/version.ts';

/** A store that is down is waited for no longer: the lines are in the queue. */
const INDEX_SECONDS = 60;

export interface ImportHere {
  readonly config: Config;
  readonly clock: Clock;
  readonly warn: (line: string) => void;
}

interface Parts extends ImportHere {
  readonly queue: Queue;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** Rejects with data_dir_locked where a Sluice has the folder. */
export async function importHere(
  { config, clock, warn }: ImportHere,
  request: ImportRequest,
  watch: ImportWatch,
): Promise<readonly ImportedFile[]> {
  const log = errorsOnly(warn);
  const metrics = new Metrics({ version: VERSION, command: 'import' });
  await using queue = await openQueue(config, { clock, observer: observeInLog(log) });
  const parts = { config, clock, warn, queue, metrics, log };
  if (queue.kind !== 'embedded') return readFiles(parts, request, watch);
  // What the queue holds has to go on, or a large import fills it.
  await using store = await openStore(config, { warn });
  if (store.kind === 'embedded') await store.setup();
  const indexing = { ...parts, store, random: Math.random };
  let files: readonly ImportedFile[];
  {
    await using _indexer = await startIndexer(indexing);
    files = await readFiles(parts, request, watch);
  }
  const draining = { ...indexing, metrics: new Metrics({ version: VERSION, command: 'import' }) };
  const { left } = await drainIndexer({ ...draining, signal: watch.signal, maxSeconds: INDEX_SECONDS });
  if (left !== null)
    warn(`The queue holds lines that the store does not have yet (${left}); \`sluice run\` indexes them`);
  return files;
}

async function readFiles(
  { config, clock, queue, metrics, log }: Parts,
  request: ImportRequest,
  watch: ImportWatch,
): Promise<readonly ImportedFile[]> {
  const admission = loadAdmission(config, (path) => readFileSync(path, 'utf8'));
  const intake = openIntake(queue, {
    config,
    clock,
    admission,
    telemetry: new ForwarderTelemetry(metrics, log, clock),
  });
  const input = new FilesInput({
    rules: [],
    host: config['collect.host'] ?? hostname(),
    watches: false,
    openFilesMax: 1,
    dataDir: config['data.dir'],
    intake,
    room: intake.roomFor('files'),
    clock,
    newTelemetry: (figures) => new FileTelemetry(metrics, log, figures),
  });
  try {
    return await input.import(request, watch);
  } finally {
    await input.close();
    await intake.close();
  }
}
