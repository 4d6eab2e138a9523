// A worker's channel to its primary: it reports when it is up, sends its metrics and readiness when asked, and is told
// to stop.

import type { Snapshot, ToPrimary, ToWorker } from './worker-messages.ts';

const STARTING: Snapshot = { families: [], unready: ['it is starting'] };

export interface WorkerChannel {
  /** The number of the worker, from 1; its successor has the same. */
  readonly slot: number;
  /** Aborted when the primary wants an orderly stop. */
  readonly stopped: AbortSignal;
  /** Reports that the service runs. From now on `snapshot` is what it answers. */
  start(snapshot: () => Promise<Snapshot>): void;
  /** Sends the last snapshot. */
  end(): Promise<void>;
}

export function openWorkerChannel(slot: number): WorkerChannel {
  const stop = new AbortController();
  let snapshotNow: () => Promise<Snapshot> = () => Promise.resolve(STARTING);
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'stop') stop.abort(message.reason);
    else void answer(message.question);
  });
  // A terminal sends it to the primary and the workers alike; the primary replaces them, one after another.
  process.on('SIGHUP', () => undefined);
  return {
    slot,
    stopped: stop.signal,
    start(snapshot) {
      snapshotNow = snapshot;
      void send({ kind: 'up' });
    },
    end: () => answer(0),
  };

  async function answer(question: number): Promise<void> {
    const { families, unready } = await snapshotNow();
    const reasons = stop.signal.aborted ? ['it is stopping'] : unready;
    await send({ kind: 'told', question, snapshot: { families, unready: reasons } });
  }
}

/** Resolves when the message has left this process, or at once where the primary is gone. */
function send(message: ToPrimary): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (process.send && process.connected) process.send(message, undefined, undefined, () => resolve());
  else resolve();
  return promise;
}
