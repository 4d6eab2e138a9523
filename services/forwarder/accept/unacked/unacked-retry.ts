// Chunks of senders that hear nothing back (syslog, GELF). Nobody will send again what intake refuses, so it is tried
// again here, for as long as we run. What waits counts against a bound of its own: past it, streams are read no
// further, and datagrams are dropped and counted.
//
// Guarantees: `accept` and `deadLetter` never reject; every event ends up held by the queue, or counted as dropped with
// the reason.

import { whenAborted } from '#shared/abort.ts';
import { type BackoffLimits, steadyBackoffMs } from '#shared/backoff.ts';
import { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import {
  type Chunk,
  DEAD_LETTER_OVERHEAD_BYTES,
  type Intake,
  type Room,
  type Undecodable,
} from '../../intake/chunk.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';

const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** What a chunk that waits costs beside its bytes. */
const CHUNK_OVERHEAD_BYTES = 1024;
/** Without jitter: intake is in this process, and takes many that come back together as well as one by one. */
const PAUSES: BackoffLimits = { baseMs: 100, capMs: 5000 };
/** How long the last attempts may take at the end. */
const CLOSE_MS = 2000;

export interface UnackedOptions {
  readonly intake: Intake;
  /** Of inputs without acks; absent: that of intake. */
  readonly room?: Room;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
}

export class Unacked {
  readonly #intake: Intake;
  readonly #room: Room;
  readonly #telemetry: ForwarderTelemetry;
  readonly #clock: Clock;
  readonly #waiting = new ByteBudget(WAITING_BYTES_MAX);
  readonly #open = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor({ intake, room = intake, telemetry, clock }: UnackedOptions) {
    this.#intake = intake;
    this.#room = room;
    this.#telemetry = telemetry;
    this.#clock = clock;
  }

  get hasRoom(): boolean {
    return this.#room.hasRoom && this.#waiting.hasRoom;
  }

  async room(): Promise<void> {
    await this.#waiting.room();
    await this.#room.room();
  }

  /** Resolves when the chunk is held, or given up. */
  accept(chunk: Chunk): Promise<void> {
    const attempt = () => this.#intake.accept(chunk);
    return this.#kept(attempt, chunk.bytes.length + CHUNK_OVERHEAD_BYTES, (reason) => {
      this.#telemetry.dropped(chunk.input, chunk.count, chunk.bytes.length, reason);
    });
  }

  /** Resolves when the bytes lie with the dead letters, or were given up. */
  deadLetter(undecodable: Undecodable): Promise<void> {
    const { input, bytes, count = 1 } = undecodable;
    const attempt = () => this.#intake.deadLetter(undecodable);
    return this.#kept(attempt, bytes.length + DEAD_LETTER_OVERHEAD_BYTES, (reason) => {
      this.#telemetry.dropped(input, count, bytes.length, reason);
    });
  }

  /**
   * Waits for what can be held in a short time, and tries the rest a last time. What even then is neither held nor
   * refused ends with intake, and is counted.
   */
  async close(): Promise<void> {
    const limit = new AbortController();
    using _limit = this.#clock.timer(CLOSE_MS, () => limit.abort());
    await Promise.race([Promise.all(this.#open), whenAborted(limit.signal)]);
    this.#closing.abort();
  }

  #kept(attempt: () => Promise<void>, bytes: number, giveUp: (reason: string) => void): Promise<void> {
    const done = this.#try(attempt, bytes, giveUp).finally(() => this.#open.delete(done));
    this.#open.add(done);
    return done;
  }

  async #try(attempt: () => Promise<void>, bytes: number, giveUp: (reason: string) => void): Promise<void> {
    try {
      return await attempt();
    } catch (error) {
      if (isEnd(error)) return giveUp(codeOf(error));
    }
    using _permit = this.#waiting.take(bytes);
    for (let failures = 0; ; failures += 1) {
      await this.#clock.sleep(steadyBackoffMs(failures, PAUSES), this.#closing.signal).catch(() => undefined);
      try {
        return await attempt();
      } catch (error) {
        if (this.#closing.signal.aborted || isEnd(error)) return giveUp(codeOf(error));
      }
    }
  }
}

/** Intake takes nothing any more, or never takes this; or not for days, and to wait would take the place of others. */
const ENDS: ReadonlySet<string> = new Set(['shutting_down', 'too_many_events', 'dead_letters_full']);

function isEnd(error: unknown): boolean {
  return error instanceof SluiceError && ENDS.has(error.code);
}

function codeOf(error: unknown): string {
  return error instanceof SluiceError ? error.code : 'internal';
}
