// `sluice run`: all in one process, with the queue and the store that are configured; nothing else is needed where both
// are embedded.

import { parseArgs } from 'node:util';
import { startForwarder } from '#forwarder/main.ts';
import { startIndexer } from '#indexer/shells/main.ts';
import { whenAborted } from '#shared/abort.ts';
import { openStore } from '#shared/open/open-store.ts';
import type { CommandContext } from '../process/command.ts';
import { replayAction } from '../dead-letters/replay-request.ts';
import { eraseAction } from '../erase/erase-request.ts';
import { runService, startAdmin } from '../process/service.ts';
import { startReadApi } from '../read/read-api.ts';
import { watchStore } from '../process/telemetry.ts';
import { greeting } from '../output/greeting.ts';

export const help = `Usage: sluice run [--config FILE]

Everything in one process: takes logs (Forward, HTTP), queues, indexes and keeps them. Data goes to SLUICE_DATA_DIR (./data).
With SLUICE_KAFKA_BROKERS and SLUICE_ELASTICSEARCH_URL the same process works on Kafka and Elasticsearch.
`;

export async function run(args: string[], context: CommandContext): Promise<number> {
  parseArgs({ args, options: {} });
  return runService('run', context, async (service) => {
    const store = service.lifetime.use(
      await openStore(service.config, {
        deletes: true,
        warn: (message) => service.log.warn('store_warning', { message }),
      }),
    );
    watchStore(service, store);
    if (store.kind === 'embedded') await store.setup();
    const indexer = service.lifetime.use(await startIndexer({ ...service, store, random: Math.random }));
    const forwarder = service.lifetime.use(await startForwarder(service));
    const replay = replayAction({ ...service, store, random: Math.random });
    const admin = await startAdmin(service, [forwarder, indexer], [replay, eraseAction(service.queue, service.config)]);
    const readApi = await startReadApi({ ...service, store, byDefault: true });
    if (readApi) service.lifetime.use(readApi);
    const read = readApi?.address ?? null;
    context.stdout.write(greeting(service.config, { ...forwarder.addresses, admin: admin.address, read }));
    await Promise.race([whenAborted(context.signal), indexer.ended]);
    // At once: it need not wait for what ends before it, which does not need it. The lifetime hears whether it failed.
    void indexer.stop().catch(() => undefined);
    return 0;
  });
}
