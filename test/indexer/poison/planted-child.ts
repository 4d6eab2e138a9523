// The child process of the indexer, but with planted harm.

import { serveOpenings } from '#indexer/poison/opening-service.ts';

serveOpenings({ name: 'planted-worker', moduleUrl: import.meta.url });
