// A spooled queue between queues in memory, by a clock that the test drives.

import { SpooledQueue, type SpooledQueueOptions } from '#shared/queue/spooled/spooled-queue.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { RecordingObserver } from './recording-observer.ts';
import { type Fate, refusedWith, UnsteadyQueue } from './unsteady-queue.ts';

export const AWAY = refusedWith('queue_unavailable');
/** Never done, and answered only when the producer gives up. */
export const SILENT = refusedWith('queue_unavailable', 30_000);

export const NOW: Fate = { doneMs: 0, answerMs: 0, error: null };

export async function spool({
  clock = new VirtualClock(),
  upstream = new UnsteadyQueue(clock, 4),
  local = new UnsteadyQueue(clock, 1),
  ...more
}: Partial<Omit<SpooledQueueOptions, 'upstream' | 'local' | 'clock'>> & {
  clock?: VirtualClock;
  upstream?: UnsteadyQueue;
  local?: UnsteadyQueue;
} = {}) {
  const observer = new RecordingObserver();
  const queue = new SpooledQueue({
    upstream: upstream.connect(),
    local: local.connect(),
    clock,
    random: () => 0.5,
    observer,
    ...more,
  });
  await clock.until(queue.opened());
  return { clock, upstream, local, queue, observer };
}
