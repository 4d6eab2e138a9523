// A folder of log files, and a collector of it whose intake remembers what it was given, by name, as the store would:
// a name that comes again adds nothing.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeMulti } from '@msgpack/msgpack';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import { PositionNamer } from '#shared/record/chain.ts';
import { POSITION_NAME_BYTES } from '#shared/record/identity.ts';
import type { SourceRule } from '#forwarder/collect/sources/source-form.ts';
import { FilesInput } from '#forwarder/collect/files-input.ts';
import { FileTelemetry } from '#forwarder/collect/files/telemetry.ts';
import type { WalkLimits } from '#forwarder/collect/walk/limits.ts';
import type { Chunk, Intake, Room } from '#forwarder/intake/chunk.ts';

export const ROOM: Room = { hasRoom: true, room: () => Promise.resolve() };

/** What the queue, the indexer and the store would have. */
export class RecordingIntake implements Intake {
  readonly hasRoom = true;
  readonly unreadyReason = null;
  /** By name: the record. */
  readonly held = new Map<string, Record<string, unknown>>();
  /** By name: what each entry carried beside its time, whenever it came; null for none. */
  readonly metadata = new Map<string, (Record<string, unknown> | null)[]>();
  readonly tags = new Set<string>();
  /** Entries, the repeated ones included. */
  entries = 0;
  repeats = 0;
  /** Asked before anything is held; what it throws is thrown. */
  before: (chunk: Chunk) => Promise<void> = () => Promise.resolve();

  room(): Promise<void> {
    return Promise.resolve();
  }

  async accept(chunk: Chunk): Promise<void> {
    await this.before(chunk);
    if (chunk.chain === undefined) return;
    for (const [name, record, metadata] of namedRecords(chunk)) {
      this.entries += 1;
      this.metadata.set(name, [...(this.metadata.get(name) ?? []), metadata]);
      if (this.held.has(name)) this.repeats += 1;
      else this.held.set(name, record);
    }
    this.tags.add(chunk.tag);
  }

  deadLetter(): Promise<void> {
    return Promise.reject(new Error('files have no dead letters'));
  }

  /** Texts of the lines, in the order of their arrival. */
  get lines(): string[] {
    return [...this.held.values()].map((record) => String(record['message'] ?? record['log']));
  }
}

type NamedRecord = [name: string, record: Record<string, unknown>, metadata: Record<string, unknown> | null];

export function namedRecords({ entries, count, chain }: Chunk): NamedRecord[] {
  if (chain === undefined) throw new Error('a line has a place in its file');
  const namer = new PositionNamer(chain, count);
  for (let at = 0; at < entries.length;) {
    const end = entryEnd(entries, at, entries.length);
    namer.add(entries, at, end);
    at = end;
  }
  const { bytes } = namer.names;
  const records = [...decodeMulti(entries)] as [unknown, Record<string, unknown>][];
  if (records.length !== count) throw new Error('the count is that of the entries');
  return records.map(([time, record], i) => [
    Buffer.from(bytes.subarray(i * POSITION_NAME_BYTES, (i + 1) * POSITION_NAME_BYTES)).toString('hex'),
    record,
    Array.isArray(time) ? (time[1] as Record<string, unknown>) : null,
  ]);
}

export interface Running extends AsyncDisposable {
  readonly input: FilesInput;
  readonly metrics: Metrics;
}

interface StartOptions {
  readonly dataDir?: string;
  readonly room?: Room;
  readonly watches?: boolean;
  readonly collects?: boolean;
  readonly openFilesMax?: number;
  readonly walkLimits?: Partial<WalkLimits>;
  /** In place of the one. */
  readonly rules?: readonly SourceRule[];
}

export class FileWorld implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-files-'));
  readonly dataDir = mkdtempSync(join(tmpdir(), 'sluice-data-'));
  readonly intake = new RecordingIntake();
  readonly told: { event: string; [key: string]: unknown }[] = [];
  /** Of the level `debug`. */
  readonly details: { event: string; [key: string]: unknown }[] = [];
  readonly running = new Set<FilesInput>();

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Collects `*.log` of the folder, or what the rule says. */
  start(
    rule: Partial<SourceRule> = {},
    {
      dataDir = this.dataDir,
      room = ROOM,
      watches = true,
      collects = true,
      openFilesMax = 1000,
      walkLimits = {},
      rules = [{ include: [this.path('*.log')], ...rule }],
    }: StartOptions = {},
  ): Running {
    const tell = (event: string, about: object = {}): void => void this.told.push({ event, ...about });
    const debug = (event: string, about: object = {}): void => void this.details.push({ event, ...about });
    const log = { debug, info: tell, warn: tell, error: tell };
    const metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
    const input = new FilesInput({
      rules: collects ? rules : [],
      host: 'node-1',
      watches,
      openFilesMax,
      walkLimits,
      dataDir,
      intake: this.intake,
      room,
      clock: systemClock,
      newTelemetry: (figures) => new FileTelemetry(metrics, log, figures),
    });
    this.running.add(input);
    return {
      input,
      metrics,
      [Symbol.asyncDispose]: async () => {
        this.running.delete(input);
        await input.close();
      },
    };
  }

  /** Waits for a condition; the test's own limit of time ends it. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await delay(5);
  }

  async untilLines(count: number): Promise<string[]> {
    await this.until(() => this.intake.held.size >= count);
    return this.intake.lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.running].map((input) => input.close()));
    for (const folder of [this.folder, this.dataDir]) rmSync(folder, { recursive: true, force: true });
  }
}
