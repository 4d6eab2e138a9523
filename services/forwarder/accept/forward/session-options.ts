// What a session of the Forward protocol is given: limits, and what it shares with the other sessions of its server or
// process.

import type { ByteBudget } from '#shared/byte-budget.ts';
import type { Clock } from '#shared/clock.ts';
import type { AddressRate } from '../../admit/address-rates.ts';
import type { EventDebt } from '../../admit/event-debts.ts';
import type { Room, SlicedIntake } from '../../intake/chunk.ts';
import type { ForwarderTelemetry } from '../../intake/telemetry.ts';
import type { UnackedNames } from './equal-chunks.ts';
import type { FairSlots } from '../turns/fair-slots.ts';
import type { FrameFiles } from '../frames/frame-files.ts';
import type { Sender } from '../frames/sender-tags.ts';
import type { ReadingGate } from '../gate/reading-gate.ts';
import type { RefusalPace } from '../turns/refusal-pace.ts';
import { SlicePasses } from '../frames/slice-passes.ts';
import type { SliceLimits } from '../frames/sliced-frame.ts';
import type { WatchLimits } from './session-watch.ts';
import type { TurnBytes } from '../turns/turn-bytes.ts';

export interface SessionOptions extends Partial<WatchLimits> {
  readonly intake: SlicedIntake;
  readonly telemetry: ForwarderTelemetry;
  /** Largest frame that is held in memory. */
  readonly frameBytesMax: number;
  /** For larger ones; absent: they are refused. */
  readonly files?: FrameFiles;
  /** What compressed chunks may grow to, of all connections of the process together. */
  readonly unpacking: ByteBudget;
  /** Who opens a chunk next, of the whole process; absent: of the session alone. */
  readonly unpackTurns?: FairSlots;
  /** What all sessions may look at in one turn of the event loop; absent: of the session alone. */
  readonly turn?: TurnBytes;
  /** Frames that are taken in slices, of the whole process; absent: of the session alone. */
  readonly passes?: SlicePasses;
  /** Largest entry of those; absent: `frameBytesMax`. */
  readonly entryBytesMax?: number;
  /** What a compressed chunk may grow by, and to; absent: as it likes. */
  readonly ratioMax?: number;
  readonly unpackedBytesMax?: number;
  readonly clock?: Clock;
  /** Shared by all sessions of a server. */
  readonly gate?: ReadingGate;
  /** Shared by all sessions of a server. */
  readonly unackedNames?: UnackedNames;
  /** The same; absent: what cannot be held is refused at once. */
  readonly pace?: RefusalPace;
  /** The room that a tenant has; else that of intake. */
  readonly roomOf?: (tenant: string | null) => Room;
}

export interface SessionPeer extends Sender {
  readonly address: string;
  /** Of its address; null: it has none. */
  readonly rate: AddressRate | null;
  /** Of its address and tenant; absent or null: it may bring any number of small events. */
  readonly debt?: EventDebt | null;
  /** What came behind its handshake. */
  readonly unread?: Buffer;
}

/** Those of frames that are taken in slices. */
export function sliceLimits(
  options: SessionOptions,
  { network, room, signal }: Pick<SliceLimits, 'network' | 'room' | 'signal'>,
): SliceLimits {
  const { frameBytesMax: heldBytesMax, ratioMax = Infinity, unpackedBytesMax = Infinity, unpacking } = options;
  const { entryBytesMax = heldBytesMax, passes = new SlicePasses({ unpacking, bytesMax: 0 }) } = options;
  return { heldBytesMax, entryBytesMax, ratioMax, unpackedBytesMax, passes, network, room, signal };
}
