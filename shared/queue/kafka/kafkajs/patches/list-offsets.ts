// Symptom: while a transaction is open, a log seems to end before what our consumers have read. kafkajs asks for the
// last stable offset, whatever the consumer; a log ends where our consumers may read to.
// Upstream: no upstream issue known.

import listOffsetsRequests from 'kafkajs/src/protocol/requests/listOffsets/index.js';
import { patch } from './patch.ts';

const AT = 'src/protocol/requests/listOffsets/index.js';
/** Of what is read: see `readUncommitted` of our consumers. */
const READ_UNCOMMITTED = 0;

export function patchListOffsets(): void {
  patch({ at: AT, owner: listOffsetsRequests, name: 'protocol', parameters: 1 }, (original) => ({ version }) => {
    const make = original({ version });
    return (options) => make({ ...options, isolationLevel: READ_UNCOMMITTED });
  });
}
