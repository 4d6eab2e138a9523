// `sluice indexer`: from the queue to the store. Any number of them share the partitions. None has state that cannot be
// read from the queue again.

import { parseArgs } from 'node:util';
import { drainIndexer } from '#indexer/shells/drain.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import { whenAborted } from '#shared/abort.ts';
import { SluiceError } from '#shared/errors.ts';
import { openStore } from '#shared/open/open-store.ts';
import { messageLine } from '../output/message-line.ts';
import type { CommandContext } from '../process/command.ts';
import { answerOperators, runService } from '../process/service.ts';
import { startReadApi } from '../read/read-api.ts';
import { watchStore } from '../process/telemetry.ts';
import { workersOf } from '../workers/count.ts';

export const help = `Usage: sluice indexer [--workers N] [--config FILE]
       sluice indexer --drain [--max-seconds N] [--config FILE]

Takes logs from the queue and puts them into the store. Set SLUICE_KAFKA_BROKERS and SLUICE_ELASTICSEARCH_URL.

  --workers N       As N processes, each a member of the group; N = auto: as many as the machine has processors
                    (default: SLUICE_WORKERS, or 1). SIGHUP then replaces them one after another
  --drain           Read the partitions to their ends as of the start, commit, and exit 0;
                    exit 1, telling what is left, if that can't be done
  --max-seconds N   With --drain: give up after N seconds
`;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { drain: { type: 'boolean' }, 'max-seconds': { type: 'string' }, workers: { type: 'string' } },
  });
  const maxSeconds = values['max-seconds'] === undefined ? undefined : Number(values['max-seconds']);
  if (maxSeconds !== undefined && (!values.drain || !(maxSeconds > 0))) {
    throw new SluiceError('usage_wrong', 'Cannot use --max-seconds: it goes with --drain and takes a number above 0');
  }
  if (values.drain && values.workers !== undefined) {
    throw new SluiceError('usage_wrong', 'Cannot use --workers with --drain: start as many drain jobs as are wanted');
  }
  const workers = values.drain ? 1 : workersOf(values.workers, context);
  if (workers > 1) {
    const { runWorkers } = await import('../workers/primary.ts');
    return runWorkers('indexer', workers, context);
  }
  return runService('indexer', context, async (service) => {
    const store = service.lifetime.use(
      await openStore(service.config, {
        deletes: true,
        warn: (message) => service.log.warn('store_warning', { message }),
      }),
    );
    watchStore(service, store);
    const options = { ...service, store, random: Math.random };
    if (values.drain) {
      const { drained, left, counts } = await drainIndexer({ ...options, signal: context.signal, maxSeconds });
      context.stdout.write(`${JSON.stringify({ drained, ...counts })}\n`);
      if (left !== null) context.stderr.write(messageLine(left));
      return drained ? 0 : 1;
    }
    const indexer = service.lifetime.use(await startIndexer(options));
    await answerOperators(service, [indexer]);
    // Of several workers none has the address.
    const readApi = service.worker ? null : await startReadApi({ ...service, store, byDefault: false });
    if (readApi) service.lifetime.use(readApi);
    await Promise.race([whenAborted(context.signal), indexer.ended]);
    // At once: it need not wait for what ends before it, which does not need it. The lifetime hears whether it failed.
    void indexer.stop().catch(() => undefined);
    return 0;
  });
}
