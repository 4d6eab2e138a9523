// The child process of the indexer, but with planted harm.

import { serveOpenings } from '#indexer/poison/opening-service.ts';

serveOpenings({ name: 'planted-thread', moduleUrl: import.meta.url });
