// Which data stream an event goes to. All go to one for now: a stream per tag would be a stream per container, and a
// thousand shards end a cluster. Routes by name and labels belong here, and nowhere else.

import type { Batch } from '#shared/record/record.ts';

export const DATA_STREAM_DEFAULT = 'logs-sluice-default';

export function dataStreamOf(_batch: Batch): string {
  return DATA_STREAM_DEFAULT;
}
