// How the chunks of one connection go to intake: each under the name that it goes by, where equal chunks have names of
// their own; and what intake never takes goes to the dead letters instead, for its sender would send it for ever.

import { SluiceError } from '#shared/errors.ts';
import type { BroughtEvents, EventDebt } from '../../admit/event-debts.ts';
import { type Chunk, originOf, type SlicedChunk, type SlicedIntake, type Undecodable } from '../../intake/chunk.ts';
import { contentOf } from '../../decode/content-name.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';
import { EqualChunks, type NamedChunk, type UnackedNames } from './equal-chunks.ts';
import { OWN_DEAD_LETTERS_MAX } from '../../intake/sliced-batch.ts';
import { acceptSliced, isExcess, type SlicedFrame, type SliceLimits } from '../frames/sliced-frame.ts';

export interface SessionIntakeOptions {
  readonly intake: SlicedIntake;
  readonly telemetry: Pick<ForwarderTelemetry, 'equalChunk' | 'chunkRejected'>;
  readonly limits: SliceLimits;
  readonly unackedNames: UnackedNames;
  /** Null: any number of small events may come. */
  readonly debt: EventDebt | null;
}

export interface Handed {
  /** Resolves when all of it is held, by the queue or by the dead letters; else its sender must try again. */
  readonly held: Promise<void>;
  /** To be called when its ack was written; null where nobody wants to know. */
  readonly acked: (() => void) | null;
}

export class SessionIntake {
  readonly #options: SessionIntakeOptions;
  readonly #equalChunks: EqualChunks;

  constructor(options: SessionIntakeOptions) {
    this.#options = options;
    this.#equalChunks = new EqualChunks(options.unackedNames);
  }

  accept(sent: Chunk, wantsAck: boolean): Handed {
    const { count, entries, bytes } = sent;
    const refusal = this.#count({ count, bytes: entries.length, sentBytes: bytes.length });
    if (refusal) {
      sent.freeEntries?.();
      return { held: Promise.reject(refusal), acked: null };
    }
    const named = wantsAck
      ? this.#equalChunks.named(sent, ({ content, entries }) => content ?? contentOf(entries))
      : null;
    if (named) this.#report(named);
    const chunk = named?.chunk ?? sent;
    const held = this.#options.intake.accept(chunk).catch((error: unknown) => this.#deadLetterExcess(chunk, error));
    return { held, acked: named && (() => named.acked()) };
  }

  acceptSliced(frame: SlicedFrame, wantsAck: boolean): Handed {
    // It is large, or damaged.
    this.#options.debt?.takeDeadLetter(frame.source.size);
    // It has a name only when all of it was read once.
    let acked = (): void => undefined;
    const name = (sent: SlicedChunk): SlicedChunk => {
      const { count, content, sentBytes, bad } = sent;
      const refusal = this.#count({ count, bytes: content.length, sentBytes });
      if (refusal) throw refusal;
      this.#options.debt?.takeDeadLetters(Math.min(bad, OWN_DEAD_LETTERS_MAX), sentBytes);
      const named = wantsAck ? this.#equalChunks.named(sent, ({ content }) => content) : null;
      if (!named) return sent;
      this.#report(named);
      acked = named.acked;
      return named.chunk;
    };
    const { limits, intake } = this.#options;
    return { held: acceptSliced(frame, limits, intake, name), acked: () => acked() };
  }

  deadLetter(undecodable: Undecodable): Promise<void> {
    this.#options.debt?.takeDeadLetter(undecodable.bytes.length);
    return this.#options.intake.deadLetter(undecodable);
  }

  /** Rejects with the error where it is another one. */
  async #deadLetterExcess(chunk: Chunk, error: unknown): Promise<void> {
    if (!isExcess(error)) throw error;
    const { bytes } = chunk;
    await this.deadLetter({ ...originOf(chunk), bytes, reason: 'too_many_events', error: error.message });
  }

  /**
   * Counts what came. Null where it may go on: only those that many connections brought at once may not, for none is
   * read while its address is in debt.
   */
  #count(brought: BroughtEvents): SluiceError | null {
    const { debt, telemetry } = this.#options;
    if (!debt?.isDeep) {
      debt?.take(brought);
      return null;
    }
    const why = 'their address sends too many small events; send again later';
    telemetry.chunkRejected('forward', 'rate_limited', why);
    return new SluiceError('rate_limited', `Cannot take events: ${why}`);
  }

  #report({ isNew, chunk }: NamedChunk<Chunk | SlicedChunk>): void {
    if (isNew) this.#options.telemetry.equalChunk('forward', chunk.count);
  }
}
