// Threads that do not start, or die, in place of the real ones.

import { syncBuiltinESMExports } from 'node:module';
import type { TestContext } from 'node:test';
import workerThreads, { type Worker } from 'node:worker_threads';

const RealWorker = workerThreads.Worker;

export interface StandIns {
  /** What is done where a thread is to be started, in place of the next starts; then threads start as they do. */
  instead: ((start: () => Worker) => Worker)[];
  /** Threads that were started. */
  started: number;
}

/** Until the end of the test. */
export function standIns(t: TestContext): StandIns {
  const workers: StandIns = { instead: [], started: 0 };
  const StandIn = function (...given: ConstructorParameters<typeof RealWorker>): Worker {
    const start = (): Worker => {
      workers.started += 1;
      return new RealWorker(...given);
    };
    return workers.instead.shift()?.(start) ?? start();
  };
  workerThreads.Worker = StandIn as unknown as typeof RealWorker;
  syncBuiltinESMExports();
  t.after(() => {
    workerThreads.Worker = RealWorker;
    syncBuiltinESMExports();
  });
  return workers;
}

export const failing = (): never => {
  throw Object.assign(new Error('Worker initialization failure: EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });
};
