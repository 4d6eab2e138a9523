// `sluice forwarder`: the edge alone. It needs a queue that an indexer elsewhere reads: Kafka.

import { parseArgs } from 'node:util';
import { startForwarder } from '#forwarder/main.ts';
import { whenAborted } from '#shared/abort.ts';
import type { CommandContext } from '../process/command.ts';
import { answerOperators, runService } from '../process/service.ts';
import { workersOf } from '../workers/count.ts';

export const help = `Usage: sluice forwarder [--workers N] [--config FILE]

Takes logs from the nodes (Forward, HTTP) and puts them into the queue. Set SLUICE_KAFKA_BROKERS.
SIGTERM ends it in order: it stops listening, answers what it has, and closes.

  --workers N   As N processes that share the listening sockets, N = auto: as many as the machine has processors
                (default: SLUICE_WORKERS, or 1). SIGHUP then replaces them one after another
`;

export async function run(args: string[], context: CommandContext): Promise<number> {
  const { values } = parseArgs({ args, options: { workers: { type: 'string' } } });
  const workers = workersOf(values.workers, context);
  if (workers > 1) {
    const { runWorkers } = await import('../workers/primary.ts');
    return runWorkers('forwarder', workers, context);
  }
  return runService('forwarder', context, async (service) => {
    const { worker } = service;
    // One worker has the UDP inputs: the parts of a GELF message must meet, and the kernel's drops be counted once. And
    // it reads the files.
    const isFirst = worker === undefined || worker.slot === 1;
    const forwarder = await startForwarder({ ...service, datagrams: isFirst, collects: isFirst });
    service.lifetime.use(forwarder);
    await answerOperators(service, [forwarder]);
    await whenAborted(context.signal);
    return 0;
  });
}
