// Metrics of the space that dead letters use in the embedded queue, or in a spool while Kafka is away. Dead letters in
// Kafka have none: their topic has a retention of its own.

import type { Metrics } from '../metrics.ts';
import { DEAD_LETTER_REFUSALS, type Queue } from './queue.ts';

export function watchDeadLetters(metrics: Metrics, { deadLetterSpace: space }: Pick<Queue, 'deadLetterSpace'>): void {
  metrics.gauge(
    'dead_letters_bytes',
    'Bytes of the dead letters that the embedded queue, or a spool, holds.',
    [],
    () => (space ? [[space.bytesStored]] : []),
  );
  metrics.gauge('dead_letters_limit_bytes', 'The most that these may take.', [], () =>
    space ? [[space.bytesMax]] : [],
  );
  const refused = metrics.counter(
    'dead_letters_refused_total',
    'Dead letters that were refused, for they would take more than they may.',
    ['reason'],
  );
  for (const reason of DEAD_LETTER_REFUSALS) refused.add(0, reason);
  space?.watch((reason) => refused.add(1, reason));
}
