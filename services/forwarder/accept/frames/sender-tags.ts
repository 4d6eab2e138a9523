// The tags of one sender, each checked once: what comes in frames, and what it becomes or why it is refused. The rule
// is `allowedTag` (intake/principal.ts).

import { SluiceError } from '#shared/errors.ts';
import type { Origin } from '../../intake/chunk.ts';
import { type Principal, allowedTag } from '../../intake/principal.ts';

/** Who is at the other end. */
export interface Sender {
  /** Hostname of an authenticated sender, else the peer's address. */
  readonly sender: string;
  readonly address?: string;
  readonly principal: Principal;
}

export class SenderTags {
  readonly #sender: Sender;
  /** The last tag as it came, and as it goes on: most senders have but one. */
  #tag = '';
  #admitted: string | null = null;

  constructor(sender: Sender) {
    this.#sender = sender;
  }

  /** Null where the sender may not use the tag. */
  admitted(tag: string): string | null {
    if (tag !== this.#tag || this.#admitted === null) {
      this.#tag = tag;
      this.#admitted = this.#allowed(tag);
    }
    return this.#admitted;
  }

  /** @param tag as it goes on */
  origin(tag: string): Origin {
    const { principal, sender, address } = this.#sender;
    const origin = { tag, input: 'forward', tenant: principal.tenant, sender } as const;
    return address === undefined || address === sender ? origin : { ...origin, peerAddress: address };
  }

  #allowed(tag: string): string | null {
    try {
      return allowedTag(this.#sender.principal, tag);
    } catch (error) {
      if (error instanceof SluiceError) return null;
      throw error;
    }
  }
}
