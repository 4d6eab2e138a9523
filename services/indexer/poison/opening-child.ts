// The child process in which an indexer opens records that may have ended those before it. A thread of it does the
// work. So this side can always see what the thread uses, and end the process when the parent is gone.
//
// Guarantees: it ends with its parent, at once. A record that takes more than the limits is reported, and ends the
// process.

import { serveOpenings } from './opening-service.ts';

serveOpenings({ name: 'opening-thread', moduleUrl: import.meta.url });
