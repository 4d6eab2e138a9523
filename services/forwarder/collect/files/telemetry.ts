// What the collector of files reports. No path is a label: sums, and the largest of them.

import type { Log } from '#shared/log.ts';
import type { Metrics } from '#shared/metrics.ts';

export interface FileFigures {
  /** Sources that are known: paths of files that are there, or were. */
  readonly sources: number;
  /** Files whose descriptors are open. */
  readonly open: number;
  /** Files that were not opened at the last walk over all, for too many are open. */
  readonly waiting: number;
  /** Bytes that were seen and are not held by the queue: of all files, and of the one that has most. */
  readonly unreadBytes: number;
  readonly unreadBytesMax: number;
  /** How long the file that waits longest has had something that is not read. */
  readonly unreadSeconds: number;
}

/** Of files that are followed; `behindSinceMs`: since when they have something that is not read, null where all is. */
export function unreadOf(
  files: Iterable<{ readonly behindSinceMs: number | null; readonly unreadBytes: number }>,
  nowMs: number,
): Pick<FileFigures, 'unreadBytes' | 'unreadBytesMax' | 'unreadSeconds'> {
  let unreadBytes = 0;
  let unreadBytesMax = 0;
  let sinceMs = nowMs;
  for (const file of files) {
    if (file.behindSinceMs === null) continue;
    unreadBytes += file.unreadBytes;
    unreadBytesMax = Math.max(unreadBytesMax, file.unreadBytes);
    sinceMs = Math.min(sinceMs, file.behindSinceMs);
  }
  return { unreadBytes, unreadBytesMax, unreadSeconds: (nowMs - sinceMs) / 1000 };
}

/** A path is told at most so often: a file that fails does so at every try. */
const PATHS_TOLD_MAX = 1000;
const HELD_TOLD_MS = 300_000;

export class FileTelemetry {
  readonly #log: Log;
  readonly #lostBytes;
  readonly #lostFiles;
  readonly #checkpointsLost;
  readonly #saveFailures;
  readonly #readFailures;
  readonly #heldBack;
  readonly #malformed;
  readonly #forgotten;
  /** Sources that were told to be held back, and when last. */
  readonly #heldToldMs = new Map<string, number>();
  #waitToldMs = Number.NEGATIVE_INFINITY;
  #linksToldMs = Number.NEGATIVE_INFINITY;
  readonly #told = new Set<string>();
  #clearedMs = performance.now();

  constructor(metrics: Metrics, log: Log, figures: () => FileFigures) {
    this.#log = log;
    this.#lostBytes = metrics.counter(
      'collect_lost_bytes_total',
      'Bytes of files that were removed or truncated before they were read, as far as they had been seen.',
    );
    this.#lostFiles = metrics.counter(
      'collect_lost_files_total',
      'Files that were removed or truncated before they were read to their end.',
    );
    this.#checkpointsLost = metrics.counter(
      'collect_checkpoints_lost_total',
      'Times that checkpoints were damaged and begun anew: lines of rotated files may be stored twice.',
    );
    this.#saveFailures = metrics.counter(
      'collect_checkpoint_failures_total',
      'Times that checkpoints could not be saved, and were tried again.',
    );
    this.#readFailures = metrics.counter(
      'collect_read_failures_total',
      'Times that a file could not be opened or read.',
    );
    this.#heldBack = metrics.counter(
      'collect_held_back_seconds_total',
      'Seconds that sources waited for their `max_bytes_per_second` or for too many lines of a few bytes, in all.',
    );
    this.#malformed = metrics.counter(
      'collect_malformed_lines_total',
      'Lines of containers that do not have the form that the runtime gives them, and were passed on as they are.',
    );
    this.#forgotten = metrics.counter(
      'collect_forgotten_sources_total',
      'Names of files that were forgotten: all of their files were gone for 30 days, or there were too many names.',
    );
    metrics.gauge('collect_sources', 'Names of files that are known: their files are there, or were.', [], () => [
      [figures().sources],
    ]);
    metrics.gauge('collect_open_files', 'Files that are read as they grow.', [], () => [[figures().open]]);
    metrics.gauge(
      'collect_waiting_files',
      'Files with something to read that are not opened: a quarter of `ulimit -n` is open already.',
      [],
      () => [[figures().waiting]],
    );
    metrics.gauge('collect_unread_bytes', 'Bytes of files that were seen and are not held by the queue.', [], () => [
      [figures().unreadBytes],
    ]);
    metrics.gauge('collect_unread_bytes_max', 'The same, of the file that has most.', [], () => [
      [figures().unreadBytesMax],
    ]);
    metrics.gauge(
      'collect_unread_seconds_max',
      'How long the file that waits longest has had something that the queue does not hold.',
      [],
      () => [[figures().unreadSeconds]],
    );
  }

  /** Rotation was faster than reading. */
  lost(path: string, bytes: number): void {
    this.#lostBytes.add(bytes);
    this.#lostFiles.add(1);
    this.#log.error('file_content_lost', { path, bytes, effect: 'it was removed or truncated before it was read' });
  }

  checkpointsLost(file: string): void {
    this.#checkpointsLost.add(1);
    this.#log.error('collect_checkpoints_lost', {
      set_aside: file,
      effect: 'files are read from their beginnings; lines of files that were rotated may be stored twice',
    });
  }

  forgotten(sources: number): void {
    this.#forgotten.add(sources);
  }

  checkpointsWait(reason: string): void {
    this.#log.info('collect_waits', { reason });
  }

  saveFailed(reason: string): void {
    this.#saveFailures.add(1);
    this.#log.warn('collect_checkpoint_failed', { reason, effect: 'new files are not read until it can be saved' });
  }

  readFailed(path: string, reason: string): void {
    this.#readFailures.add(1);
    if (this.#isNew('file_unreadable', path)) this.#log.warn('file_unreadable', { path, reason });
  }

  /** Of a walk. A link may lead to any file of the machine. Told at most once in some minutes. */
  linksPassed(links: readonly string[]): void {
    const nowMs = performance.now();
    if (links.length === 0 || nowMs - this.#linksToldMs < HELD_TOLD_MS) return;
    this.#linksToldMs = nowMs;
    this.#log.warn('link_not_followed', { path: links[0] ?? '', links: new Set(links).size });
  }

  eventsFlood(folder: string): void {
    this.#log.warn('folder_events_flood', { path: folder, effect: 'its files are asked for once a second' });
  }

  malformed(path: string, lines: number): void {
    if (lines === 0) return;
    this.#malformed.add(lines);
    if (!this.#isNew('lines_malformed', path)) return;
    this.#log.warn('lines_malformed', { path, lines, effect: 'they are passed on as they are' });
  }

  /** Told at most once in some minutes. */
  filesWait(count: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#waitToldMs < HELD_TOLD_MS) return;
    this.#waitToldMs = nowMs;
    this.#log.warn('collect_files_wait', {
      files: count,
      effect: 'they are read when others are quiet; raise `ulimit -n`',
    });
  }

  /** Not all of its names are looked at. */
  overfull(folder: string): void {
    this.readFailed(folder, 'the walk has more names, files or folders than it looks at');
  }

  /** It has more than its rule lets it read, or too many short lines. Told of a source once in some minutes. */
  heldBack(path: string, waitMs: number, limit: Readonly<Record<string, number>>): void {
    this.#heldBack.add(waitMs / 1000);
    const nowMs = performance.now();
    if (nowMs - (this.#heldToldMs.get(path) ?? Number.NEGATIVE_INFINITY) < HELD_TOLD_MS) return;
    if (this.#heldToldMs.size === PATHS_TOLD_MAX) this.#heldToldMs.clear();
    this.#heldToldMs.set(path, nowMs);
    this.#log.warn('file_held_back', { path, ...limit });
  }

  /** Where there are very many, the rest is told some minutes later. */
  #isNew(event: string, path: string): boolean {
    const key = `${event} ${path}`;
    if (this.#told.has(key)) return false;
    if (this.#told.size >= PATHS_TOLD_MAX) {
      const nowMs = performance.now();
      if (nowMs - this.#clearedMs < HELD_TOLD_MS) return false;
      this.#clearedMs = nowMs;
      this.#told.clear();
    }
    this.#told.add(key);
    return true;
  }

  /** The same name has other content, in the same file. */
  truncated(path: string, unreadBytes: number): void {
    this.#log.debug('file_truncated', { path, unread_bytes: unreadBytes });
  }

  /** It was written, and has not grown. */
  compared(path: string, found: 'same' | 'anew'): void {
    this.#log.debug('file_compared', { path, found });
  }

  /** `how`: what it was taken for. */
  found(how: 'new' | 'known' | 'copy' | 'copy of a file that is there' | 'read', path: string, detail: object): void {
    this.#log.debug('file_found', { how, path, ...detail });
  }

  /** At the start: a mistake in a pattern looks like this. */
  noFiles(patterns: readonly string[]): void {
    this.#log.warn('no_files_found', { patterns: patterns.join(', '), effect: 'files that match later are read then' });
  }

  started(files: number): void {
    this.#log.info('collecting_files', { files });
  }
}
