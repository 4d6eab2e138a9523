// A worker's line to its primary: it says when it is up, answers for metrics and readiness, and hears that it shall
// stop.

import type { Snapshot, ToPrimary, ToWorker } from './worker-messages.ts';

const STARTING: Snapshot = { families: [], unready: ['it is starting'] };

export interface WorkerChannel {
  /** Which of the workers this is, from 1; a successor has the same. */
  readonly slot: number;
  /** Aborted when the primary wants an orderly stop. */
  readonly stopped: AbortSignal;
  /** Tells that the service runs; from now on `snapshot` is what it tells of itself. */
  start(snapshot: () => Promise<Snapshot>): void;
  /** Tells a last time. */
  end(): Promise<void>;
}

export function openWorkerChannel(slot: number): WorkerChannel {
  const stop = new AbortController();
  let take: () => Promise<Snapshot> = () => Promise.resolve(STARTING);
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'stop') stop.abort(message.reason);
    else void tell(message.question);
  });
  // A terminal sends it to the primary and the workers alike: it is for the primary to replace them, one after another.
  process.on('SIGHUP', () => undefined);
  return {
    slot,
    stopped: stop.signal,
    start(snapshot) {
      take = snapshot;
      void send({ kind: 'up' });
    },
    end: () => tell(0),
  };

  async function tell(question: number): Promise<void> {
    const { families, unready } = await take();
    const reasons = stop.signal.aborted ? ['it is stopping'] : unready;
    await send({ kind: 'told', question, snapshot: { families, unready: reasons } });
  }
}

/** Resolves when the message has left this process; a primary that is gone needs none. */
function send(message: ToPrimary): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (process.send && process.connected) process.send(message, undefined, undefined, () => resolve());
  else resolve();
  return promise;
}
