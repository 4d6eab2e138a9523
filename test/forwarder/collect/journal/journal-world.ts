// A folder with journals, and a collector of it whose intake remembers what it was given by the names that documents
// have, as the store would: a name that comes again adds nothing.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { decode } from '@msgpack/msgpack';
import { systemClock } from '#shared/clock.ts';
import type { JournalRule } from '#shared/config/settings/journal-rules.ts';
import { Metrics } from '#shared/metrics.ts';
import { entryEnd } from '#shared/msgpack/extents.ts';
import { documentId } from '#shared/record/identity.ts';
import { Checkpoints } from '#forwarder/collect/checkpoints/checkpoints.ts';
import { JournalInput } from '#forwarder/collect/journal-input.ts';
import { JournalTelemetry } from '#forwarder/collect/journal/telemetry.ts';
import type { Chunk, Intake, Room, Undecodable } from '#forwarder/intake/chunk.ts';
import { NewBatches } from '#forwarder/intake/new-batches.ts';

export interface Told {
  readonly event: string;
  readonly [key: string]: unknown;
}

const batches = new NewBatches(systemClock);

/** The name of its document, and its record. */
export function namedRecord(chunk: Chunk): [name: string, record: Record<string, unknown>] {
  const batch = batches.of(chunk);
  if (entryEnd(chunk.entries, 0, chunk.entries.length) !== chunk.entries.length)
    throw new Error('a chunk is one entry');
  const [, record] = decode(chunk.entries) as [unknown, Record<string, unknown>];
  return [documentId(batch, 0), record];
}

class JournalIntake implements Intake {
  hasRoom = true;
  readonly unreadyReason = null;
  readonly held = new Map<string, Record<string, unknown>>();
  readonly deadLetters: Undecodable[] = [];
  readonly chunks: Chunk[] = [];
  repeats = 0;
  /** Asked before anything is held; what it throws is thrown. */
  before: (chunk: Chunk) => Promise<void> = () => Promise.resolve();
  #woken: (() => void)[] = [];

  room(over?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#woken.push(resolve);
    over?.addEventListener('abort', () => resolve());
    return promise;
  }

  setRoom(hasRoom: boolean): void {
    this.hasRoom = hasRoom;
    for (const wake of this.#woken.splice(0)) wake();
  }

  async accept(chunk: Chunk): Promise<void> {
    await this.before(chunk);
    const [name, record] = namedRecord(chunk);
    this.chunks.push(chunk);
    if (this.held.has(name)) this.repeats += 1;
    else this.held.set(name, record);
  }

  deadLetter(undecodable: Undecodable): Promise<void> {
    this.deadLetters.push(undecodable);
    return Promise.resolve();
  }

  get lines(): string[] {
    return [...this.held.values()].map(({ log }) => String(log));
  }
}

export interface Reading extends AsyncDisposable {
  readonly input: JournalInput;
  metric(name: string): Promise<number>;
}

export class JournalWorld implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
  readonly journals = join(this.#folder, 'journals');
  readonly dataDir = join(this.#folder, 'data');
  readonly intake = new JournalIntake();
  readonly told: Told[] = [];
  readonly #running = new Set<Reading>();

  constructor() {
    mkdirSync(this.journals);
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  async start(
    rule: JournalRule = {},
    options: { program?: string; silenceMs?: number; room?: Room; entryBytesMax?: number } = {},
  ): Promise<Reading> {
    const tell = (event: string, about: object = {}): void => void this.told.push({ event, ...about });
    const metrics = new Metrics({ version: '0', command: 'test' }, { ofProcess: false });
    const closing = new AbortController();
    const ignored = { checkpointsLost: tell, checkpointsWait: tell, forgotten() {}, saveFailed: tell };
    const checkpoints = await Checkpoints.open({
      folder: join(this.dataDir, 'collect'),
      clock: systemClock,
      signal: closing.signal,
      telemetry: ignored,
    });
    const log = { debug: tell, info: tell, warn: tell, error: tell };
    const input = new JournalInput({
      rule: rule.namespace === undefined ? { directory: this.journals, ...rule } : rule,
      host: 'node-1',
      entryBytesMax: 1024 * 1024,
      checkpoints: () => Promise.resolve(checkpoints),
      intake: this.intake,
      room: this.intake,
      clock: systemClock,
      newTelemetry: (figures) => new JournalTelemetry(metrics, log, figures),
      ...options,
    });
    const reading: Reading = {
      input,
      metric: (name) => metricOf(metrics, name),
      [Symbol.asyncDispose]: async () => {
        this.#running.delete(reading);
        await input.close();
        closing.abort();
        await checkpoints[Symbol.asyncDispose]();
      },
    };
    this.#running.add(reading);
    return reading;
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await delay(5);
  }

  async untilLines(count: number): Promise<string[]> {
    await this.until(() => this.intake.held.size >= count);
    return this.intake.lines;
  }

  async untilTold(event: string, count = 1): Promise<Told> {
    await this.until(() => this.told.filter((one) => one.event === event).length >= count);
    return this.told.findLast((one) => one.event === event) as Told;
  }

  tellings(event: string): Told[] {
    return this.told.filter((one) => one.event === event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map((reading) => reading[Symbol.asyncDispose]()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The first of the name. */
async function metricOf(metrics: Metrics, name: string): Promise<number> {
  const { body } = await metrics.render();
  const line = body.split('\n').find((one) => one.startsWith(`sluice_${name} `) || one.startsWith(`sluice_${name}{`));
  return Number(line?.split(' ').at(-1));
}
