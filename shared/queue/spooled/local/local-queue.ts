// What a spool needs of its local queue beyond what every queue does: to read again from an offset, and to remove
// single records before earlier ones are done.

import type { ConsumeOptions, ConsumerHandler, Queue, QueueConsumer } from '../../queue.ts';

export interface LocalQueue extends Queue {
  consume(handler: ConsumerHandler, options: ConsumeOptions): Promise<LocalConsumer>;
  /**
   * Removes these records of the logs, so that their space can be used again. Where absent they go when all before them
   * have gone.
   */
  forget?(offsets: readonly number[]): Promise<void>;
}

export interface LocalConsumer extends QueueConsumer {
  /**
   * Goes on at this offset, which was fetched or is the next to be. Nothing that was fetched before is handed over
   * after it.
   */
  seek(offset: number): void;
}
