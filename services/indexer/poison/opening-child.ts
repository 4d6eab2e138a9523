// The child process in which an indexer opens records that may have ended those before it. The work is done by a thread
// of it, so that this side can look at what the thread uses, whatever it does, and end the process when the parent is
// gone.
//
// Guarantees: it ends with its parent, at once; a record that takes more than the limits is told, and ends the process.

import { serveOpenings } from './opening-service.ts';

serveOpenings({ name: 'opening-thread', moduleUrl: import.meta.url });
