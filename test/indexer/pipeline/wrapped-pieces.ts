// Pieces of lines as container runtimes cut them, sent raw in each of their formats, for tests of the whole
// indexer. A piece is the record of one event; `send` appends them as a sender's batches.

import type { World } from '../world.ts';

export const KIB_16 = 16 * 1024;
export const timeOf = (n: number): string => new Date(Date.UTC(2026, 10, 20, 10) + n).toISOString();

export interface Piece {
  readonly text: string;
  readonly isLast?: boolean;
  readonly file?: string;
  readonly stream?: string;
  readonly ms?: number;
}

export type Wrapper = (piece: Piece) => Record<string, string>;

export const cri: Wrapper = ({ text, isLast = false, file = '/var/log/pods/a/0.log', stream = 'stdout', ms = 0 }) => ({
  message: `${timeOf(ms)} ${stream} ${isLast ? 'F' : 'P'} ${text}`,
  ...(file !== '' && { 'log.file.path': file }),
});
/** Docker cuts where 16 KiB are full. */
export const docker: Wrapper = ({ text, isLast = false, file = '/c/a-json.log', stream = 'stdout', ms = 0 }) => ({
  log: JSON.stringify({ log: isLast ? `${text}\n` : text.padEnd(KIB_16, '.'), stream, time: timeOf(ms) }),
  filepath: file,
});
const podman: Wrapper = ({ text, isLast = false, file = 'a', stream = 'stdout' }) => ({
  MESSAGE: text,
  CONTAINER_ID: file,
  CONTAINER_ID_FULL: `${file}00`,
  PRIORITY: stream === 'stdout' ? '6' : '3',
  ...(!isLast && { CONTAINER_PARTIAL_MESSAGE: 'true' }),
});
export const wrappers: readonly [string, Wrapper][] = [
  ['cri', cri],
  ['json-file', docker],
  ['podman in the journal', podman],
  ['journalctl -o json', (piece) => ({ message: journalLine(podman(piece), piece) })],
];

function journalLine(fields: object, { ms = 0 }: Piece): string {
  const us = String((Date.UTC(2026, 10, 20, 10) + ms) * 1000);
  return JSON.stringify({ __CURSOR: 'c', __REALTIME_TIMESTAMP: us, ...fields });
}

export const messages = (world: World): string[] =>
  [...world.store.documents.values()].map(({ message }) => String(message).replaceAll('.', '')).sort();

/** Sends the pieces, in records of these many. */
export async function send(
  world: World,
  pieces: readonly Record<string, string>[],
  perRecord = 2,
  tag = 'files',
): Promise<void> {
  for (let i = 0; i < pieces.length; i += perRecord) {
    const entries = pieces.slice(i, i + perRecord).map((piece) => world.entry(piece));
    await world.sendEntries(0, [world.batch(entries.length, 0, tag)], entries, 'zstd');
  }
}
