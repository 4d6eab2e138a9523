// Has files imported by the Sluice that has the data folder: it alone knows what it has read of them.

import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { ImportedFile, ImportRequest, ImportWatch } from '#forwarder/collect/imports/file-imports.ts';
import { type ImportAnswer, importSocket } from '#forwarder/collect/imports/import-protocol.ts';
import { SluiceError } from '#shared/errors.ts';

/** `nobody`: nobody answers in the folder; `gone`: who did has ended before it had read all. Then ask again. */
export async function importThere(
  dataDir: string,
  request: ImportRequest,
  { signal, progress }: ImportWatch,
): Promise<readonly ImportedFile[] | 'nobody' | 'gone'> {
  const socket = await connected(importSocket(dataDir));
  if (socket === null) return 'nobody';
  const stop = (): void => void socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    for await (const line of createInterface({ input: socket })) {
      const answer = parsed(line);
      if (answer === null) break;
      if ('error' in answer) throw new SluiceError('request_malformed', answer.error);
      if ('files' in answer) return answer.files;
      progress(answer.progress);
    }
    signal.throwIfAborted();
    return 'gone';
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
}

/** Null where the line is cut. */
function parsed(line: string): ImportAnswer | null {
  try {
    return JSON.parse(line) as ImportAnswer;
  } catch {
    return null;
  }
}

async function connected(path: string): Promise<Socket | null> {
  const socket = connect(path);
  const { promise, resolve } = Promise.withResolvers<Socket | null>();
  socket.on('connect', () => resolve(socket));
  // Later it is the end of its lines that tells.
  socket.on('error', () => resolve(null));
  return promise;
}
