// The entry of the program, and of its worker threads: in the one bundled file a worker starts this file again and finds its module by
// name. Everything else is imported only where it is needed, so that a worker loads no more than its own.

import { workerName } from '#shared/sqlite/worker-thread.ts';

const workers: Record<string, () => Promise<unknown>> = {
  'queue-worker': () => import('#shared/queue/embedded/queue-worker.ts'),
  'store-worker': () => import('#shared/store/embedded/store-worker.ts'),
};

const worker = workerName();
if (worker === null) {
  const { runCommandLine } = await import('./command-line.ts');
  // Whatever is still open when a command is done (a stop that took too long) must not keep the process.
  process.exit(await runCommandLine(process.argv.slice(2)));
} else {
  await workers[worker]?.();
}
