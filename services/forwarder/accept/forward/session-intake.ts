// How the chunks of one connection go to intake: each under the name that it goes by, where equal chunks have names of
// their own; and what intake never takes goes to the dead letters instead, for its sender would send it for ever.

import { type Chunk, originOf, type SlicedChunk, type SlicedIntake, type Undecodable } from '../../intake/chunk.ts';
import { contentOf } from '../../decode/content-name.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';
import { EqualChunks, type NamedChunk, type UnackedNames } from './equal-chunks.ts';
import { acceptSliced, isExcess, type SlicedFrame, type SliceLimits } from '../frames/sliced-frame.ts';

export interface SessionIntakeOptions {
  readonly intake: SlicedIntake;
  readonly telemetry: Pick<ForwarderTelemetry, 'equalChunk'>;
  readonly limits: SliceLimits;
  readonly unackedNames: UnackedNames;
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
    const named = wantsAck
      ? this.#equalChunks.named(sent, ({ content, entries }) => content ?? contentOf(entries))
      : null;
    if (named) this.#report(named);
    const chunk = named?.chunk ?? sent;
    const held = this.#options.intake.accept(chunk).catch((error: unknown) => this.#deadLetterExcess(chunk, error));
    return { held, acked: named && (() => named.acked()) };
  }

  acceptSliced(frame: SlicedFrame, wantsAck: boolean): Handed {
    // It has a name only when all of it was read once.
    let acked = (): void => undefined;
    const name = (sent: SlicedChunk): SlicedChunk => {
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
    return this.#options.intake.deadLetter(undecodable);
  }

  /** Rejects with the error where it is another one. */
  async #deadLetterExcess(chunk: Chunk, error: unknown): Promise<void> {
    if (!isExcess(error)) throw error;
    const { bytes } = chunk;
    await this.deadLetter({ ...originOf(chunk), bytes, reason: 'too_many_events', error: error.message });
  }

  #report({ isNew, chunk }: NamedChunk<Chunk | SlicedChunk>): void {
    if (isNew) this.#options.telemetry.equalChunk('forward', chunk.count);
  }
}
