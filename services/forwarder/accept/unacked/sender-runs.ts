// Datagrams of one turn of the event loop, gathered to a chunk for each sender: one chunk a datagram would cost far
// more than its bytes. So would a dead letter for each that is no message (bad-messages.ts).

import type { Clock } from '#shared/clock.ts';
import type { Chunk, InputName } from '../../intake/chunk.ts';
import type { AddressRate } from '../../admit/address-rates.ts';
import { BadMessages, type BadReason } from './bad-messages.ts';
import { ReadEntries } from './read-entries.ts';
import type { Admit } from '../../admit/admission.ts';
import type { Unacked } from './unacked-retry.ts';

/** A run above this goes on at once. */
const RUN_BYTES_MAX = 256 * 1024;
/** Senders whose buffers, and whom they speak for, are kept for the next turn. */
const KEPT_MAX = 64;

/** Senders of one turn; addresses of datagrams are easily forged. */
const SENDERS_MAX = 4096;

export interface SenderRunsOptions {
  readonly input: InputName;
  readonly tag: string;
  readonly unacked: Unacked;
  readonly clock: Clock;
  /** What an address may bring; null: any number. */
  readonly datagramRates: { of(address: string): AddressRate | null } | null;
}

type DatagramOrigin = Pick<Chunk, 'tag' | 'input' | 'tenant' | 'sender'>;

interface SenderRun {
  readonly origin: DatagramOrigin;
  readonly run: ReadEntries;
  readonly bad: BadMessages;
  /** Null: its address has none. */
  readonly rate: AddressRate | null;
}

export class SenderRuns {
  readonly #options: SenderRunsOptions;
  readonly #runs = new Map<string, SenderRun>();
  #isDue = false;

  constructor(options: SenderRunsOptions) {
    this.#options = options;
  }

  /** Why a datagram of the sender is not taken; null: it is, and counts. */
  refusalOf(sender: string, bytes: number, admit: Admit): 'not_allowed' | 'address_rate' | null {
    const senderRun = this.#of(sender, admit);
    if (!senderRun) return 'not_allowed';
    return senderRun.rate?.datagram(bytes) === false ? 'address_rate' : null;
  }

  /**
   * Where the sender's next entry goes; it is sent on at the end of this turn of the event loop. Null: it is not let
   * in.
   */
  runOf(sender: string, admit: Admit): ReadEntries | null {
    const senderRun = this.#of(sender, admit);
    if (senderRun && senderRun.run.bytes > RUN_BYTES_MAX) this.#send(senderRun);
    if (senderRun) this.#flushSoon();
    return senderRun && senderRun.run;
  }

  /** For what of the sender is no message. Nothing where it is not let in. */
  deadLetter(sender: string, admit: Admit, bytes: Buffer, reason: BadReason, error: string): void {
    this.#of(sender, admit)?.bad.add(bytes, reason, error);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.clock.timer(0, () => this.flush());
  }

  #of(sender: string, admit: Admit): SenderRun | null {
    const known = this.#runs.get(sender);
    if (known) return known;
    const principal = admit({ address: sender, certificateNames: [] });
    if (!principal) return null;
    if (this.#runs.size >= SENDERS_MAX) this.flush();
    const { input, tag, datagramRates, unacked } = this.#options;
    const origin = { tag: principal.tagPrefix + tag, input, tenant: principal.tenant, sender };
    const bad = new BadMessages((one) => unacked.deadLetter({ ...origin, ...one }));
    const senderRun = { origin, run: new ReadEntries(), bad, rate: datagramRates?.of(sender) ?? null };
    this.#runs.set(sender, senderRun);
    return senderRun;
  }

  flush(): void {
    this.#isDue = false;
    for (const senderRun of this.#runs.values()) {
      this.#send(senderRun);
      senderRun.bad.flush();
    }
    if (this.#runs.size > KEPT_MAX) this.#runs.clear();
  }

  #send({ origin, run }: SenderRun): void {
    const { count } = run;
    if (count === 0) return;
    const entries = run.take();
    void this.#options.unacked.accept({
      ...origin,
      chunkId: null,
      encoding: 'identity',
      bytes: entries,
      entries,
      count,
    });
  }
}
