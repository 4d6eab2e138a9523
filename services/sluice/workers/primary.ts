// A service as several processes of this machine, by node:cluster. The primary accepts connections and hands them to
// the workers in turns, and has the one admin page; it handles no event. Each worker is the same command, with its own
// memory limits, its own spool, and as an indexer its own membership of the group.
//
//   SIGTERM, SIGINT   all stop in order, within `shutdown.timeout_ms`
//   SIGHUP            each is replaced by a new one, one after another

import cluster from 'node:cluster';
import { isSea } from 'node:sea';
import { whenAborted } from '#shared/abort.ts';
import { type Config, variableOf } from '#shared/config/settings.ts';
import { NO_READ_API } from '#shared/config/settings/read.ts';
import { SluiceError } from '#shared/errors.ts';
import { exposition } from '#shared/exposition.ts';
import { INHERITED_PREFIX } from '#shared/net/listen-address.ts';
import { Metrics } from '#shared/metrics.ts';
import { startAdminPage } from '../admin/page.ts';
import type { CommandContext } from '../process/command.ts';
import { openLog, warnOfSecrets } from '../process/service.ts';
import { nodeOptions } from '../process/v8-flags.ts';
import { VERSION } from '../process/version.ts';
import { WorkerPool } from './worker-pool.ts';
import { WorkersTelemetry } from './telemetry.ts';
import { WorkerProcess } from './worker-process.ts';

/** So long after its own limit a worker may log that it was overdue, before it is killed. */
const GRACE_MS = 500;

export async function runWorkers(
  name: 'forwarder' | 'indexer',
  workers: number,
  context: CommandContext,
): Promise<number> {
  const { config, clock, signal } = context;
  refuse(name, workers, context);
  const log = await openLog(context);
  warnOfSecrets(context, log);
  const metrics = new Metrics({ version: VERSION, command: name });
  const telemetry = new WorkersTelemetry(metrics, log);
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // The program as it was started: from its sources, bundled, or a single executable, which takes no name of a module
  // and has its own options inside.
  const [exec = '', ...args] = process.argv.slice(isSea() ? 2 : 1);
  // Numbers such as +Inf are none in JSON.
  cluster.setupPrimary({ exec, args, execArgv: isSea() ? [] : nodeOptions(), serialization: 'advanced' });
  const pool = new WorkerPool({
    workers,
    fork: (slot) => new WorkerProcess(slot, clock),
    clock,
    random: Math.random,
    telemetry,
    stopMs: config['shutdown.timeout_ms'] + GRACE_MS,
  });
  const admin = await startAdminPage(
    { config, clock, log, metrics },
    {
      unreadyReasons: () => pool.unreadyReasons(),
      async metrics(accept) {
        return exposition(await pool.families(() => metrics.families()), accept);
      },
    },
  );
  process.on('SIGHUP', () => void pool.replaceAll());
  const stopped = whenAborted(signal).then(() => pool.stop(String(signal.reason)));
  const early = await pool.start();
  const code = early && !signal.aborted ? (early.code ?? 1) : (await stopped) ? 0 : 1;
  await admin.close();
  return code;
}

/** Throws config_invalid. */
function refuse(name: string, workers: number, { config }: CommandContext): void {
  const why = whyOneOnly(name, config);
  if (why !== null) throw new SluiceError('config_invalid', `Cannot run ${workers} workers: ${why}`);
}

function whyOneOnly(name: string, config: Config): string | null {
  if (config.queue === 'embedded') return 'the embedded queue belongs to one process; set SLUICE_KAFKA_BROKERS';
  if (name === 'indexer' && config.store === 'embedded') {
    return 'the embedded store belongs to one process; set SLUICE_ELASTICSEARCH_URL';
  }
  const { 'read.listen': read = NO_READ_API } = config;
  if (name === 'indexer' && read !== NO_READ_API)
    return 'the read API has one address; unset SLUICE_READ_LISTEN, and start another `sluice indexer` with it';
  const inherited = LISTENING.filter((setting) => config[setting]?.startsWith(INHERITED_PREFIX)).map(variableOf);
  if (inherited.length === 0) return null;
  // node:cluster keeps a listening socket only as long as one of the workers has it.
  return `systemd's sockets would be closed for good when all workers end at once; give ${inherited.join(' and ')} an address`;
}

const LISTENING = ['forward.listen', 'http.listen', 'syslog.listen', 'syslog.tls_listen', 'gelf.listen'] as const;
