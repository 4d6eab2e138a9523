// `sluice forwarder`: the edge alone. It needs a queue that an indexer elsewhere reads: Kafka.

import { parseArgs } from 'node:util';
import { startForwarder } from '#forwarder/main.ts';
import type { CommandContext } from '../command.ts';
import { aborted, runService, startAdmin } from '../service.ts';

export const help = `Usage: sluice forwarder [--config FILE]

Takes logs from the nodes (Forward, HTTP) and puts them into the queue. Set SLUICE_KAFKA_BROKERS.
SIGTERM ends it in order: it stops listening, answers what it has, and closes.
`;

export async function run(args: string[], context: CommandContext): Promise<number> {
  parseArgs({ args, options: {} });
  return runService('forwarder', context, async (service) => {
    const forwarder = await startForwarder(service);
    service.lifetime.use(forwarder);
    await startAdmin(service, [forwarder]);
    await aborted(context.signal);
    return 0;
  });
}
