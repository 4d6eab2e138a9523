// A range of the embedded queue that is read once more, beside the process that writes it. How far it has come lies in
// a small file in the queue's folder, and goes with it.

import { readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '#shared/config/settings.ts';
import type { WorkerThread } from '#shared/sqlite/worker-thread.ts';
import type { FetchedRecord } from '../../queue.ts';
import type { OffsetSpan, RewindPosition, RewindRange, RewindSource } from '../../rewind-source.ts';
import { queueFolder, startReader } from '../embedded-lag.ts';
import { fetchedRecords } from '../fetched-records.ts';
import type { LogMethods } from '../queue-thread.ts';

const READ_BYTES = 1024 * 1024;
const PARTITION = 0;

/** Rejects with data_dir_unusable. */
export async function openEmbeddedRewind(config: Config): Promise<RewindSource> {
  return new EmbeddedRewind(await startReader(config), queueFolder(config));
}

class EmbeddedRewind implements RewindSource {
  readonly #thread: WorkerThread<LogMethods>;
  readonly #folder: string;

  constructor(thread: WorkerThread<LogMethods>, folder: string) {
    this.#thread = thread;
    this.#folder = folder;
  }

  async locate({ fromMs, toMs, name }: { fromMs: number; toMs: number; name: string }): Promise<RewindRange[]> {
    const { first: low, end: high } = await this.#thread.call('bounds', 'logs');
    const { first, end } = await this.#thread.call('between', { topic: 'logs', fromMs, toMs });
    const saved = this.#saved(name);
    // Behind the end of the log: of one that was there before.
    const isOfThisLog = saved !== null && saved.next <= high;
    return [{ partition: PARTITION, low, first, end: Math.max(first, end), saved: isOfThisLog ? saved : null }];
  }

  async lows(): Promise<ReadonlyMap<number, number>> {
    return new Map([[PARTITION, (await this.#thread.call('bounds', 'logs')).first]]);
  }

  async *read(spans: ReadonlyMap<number, OffsetSpan>, signal: AbortSignal): AsyncGenerator<FetchedRecord, void, void> {
    const { next: offset = 0, end = 0 } = spans.get(PARTITION) ?? {};
    for (let from = offset; from < end;) {
      signal.throwIfAborted();
      const { packed } = await this.#thread.call('fetch', { topic: 'logs', offset: from, bytesMax: READ_BYTES });
      if (packed.length === 0) return;
      for (const record of fetchedRecords(packed)) {
        if (record.offset >= end) return;
        from = record.offset + 1;
        yield record;
      }
    }
  }

  /** What was saved is there after a power cut, or what was saved before. */
  async save(name: string, positions: ReadonlyMap<number, RewindPosition>): Promise<void> {
    const position = positions.get(PARTITION);
    if (!position) return;
    const file = this.#fileOf(name);
    const handle = await open(`${file}.new`, 'w', 0o600);
    try {
      await handle.writeFile(JSON.stringify(position));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(`${file}.new`, file);
  }

  async forget(name: string): Promise<void> {
    for (const suffix of ['', '.new']) await rm(this.#fileOf(name) + suffix, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread[Symbol.asyncDispose]();
  }

  /** What is damaged counts as nothing: then all of the range is read again, which adds nothing. */
  #saved(name: string): RewindPosition | null {
    try {
      const { next, tries }: Partial<RewindPosition> = JSON.parse(readFileSync(this.#fileOf(name), 'utf8'));
      if (Number.isSafeInteger(next) && Number.isSafeInteger(tries)) return { next: next ?? 0, tries: tries ?? 0 };
    } catch {
      // Nothing was saved.
    }
    return null;
  }

  #fileOf(name: string): string {
    return join(this.#folder, `${name}.json`);
  }
}
