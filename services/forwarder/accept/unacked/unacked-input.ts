// What the inputs have in common whose senders get no acks: their options, and what there is once they have started.

import type { Clock } from '#shared/clock.ts';
import type { AddressRate } from '../../admit/address-rates.ts';
import type { Admit } from '../../admit/admission.ts';
import type { Door } from '../../admit/door.ts';
import type { Intake, Room } from '../../intake/chunk.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';

/** How long a stop takes what was read: of the 9 s that a stop of all has. */
export const STOP_TAKING_MS = 5000;

export interface UnackedInputOptions {
  readonly tag: string;
  readonly messageBytesMax: number;
  readonly receiveBufferBytes: number;
  /** What an address may bring by UDP; null: any number. */
  readonly datagramRates: { of(address: string): AddressRate | null } | null;
  /** Whether to listen for UDP too; absent: yes. */
  readonly datagrams?: boolean;
  readonly door: Door;
  readonly admit: Admit;
  readonly intake: Intake;
  readonly room?: Room;
  readonly telemetry: ForwarderTelemetry;
  readonly clock: Clock;
}

export interface UnackedInput {
  /** As bound, TLS first. */
  readonly addresses: readonly string[];
  /** Takes no more; resolves when what was sent so far is stored durably, or given up and counted. */
  close(): Promise<void>;
}
