// What was written to a file that has no name any more is gone when this process ends: the queue must keep it.

import { SluiceError } from '#shared/errors.ts';
import { watchDatabase } from '#shared/sqlite/database.ts';

/** Remembers the file; what it returns throws store_unavailable where the file, or its WAL, is another or none. */
export function requiredPresence(file: string): () => void {
  const presenceNow = watchDatabase(file);
  return () => {
    const presence = presenceNow();
    if (presence === 'there') return;
    const what = presence === 'gone' ? 'was deleted' : 'was replaced';
    throw new SluiceError(
      'store_unavailable',
      `Cannot use the embedded store: ${file} (or its WAL) ${what} while it was used; put it back, or restart ` +
        'Sluice to begin a new one',
    );
  };
}
