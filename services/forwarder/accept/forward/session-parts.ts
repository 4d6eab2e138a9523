// What a session of the Forward protocol is made of, by its options and its peer: what is not shared is its own.

import { type Clock, systemClock } from '#shared/clock.ts';
import { networkOfPeer } from '#shared/net/networks.ts';
import { ratedRoom } from '../../admit/address-rates.ts';
import type { Room } from '../../intake/chunk.ts';
import { FrameReader } from '../frames/frame-reader.ts';
import { FrameTaker } from '../frames/frame-taker.ts';
import { Unpacker } from '../frames/unpacker.ts';
import { ReadingGate } from '../gate/reading-gate.ts';
import { FairSlots } from '../turns/fair-slots.ts';
import type { ChunkParts } from './chunk-acks.ts';
import { UnackedNames } from './equal-chunks.ts';
import { forwardTurn, FrameTurns } from './frame-turns.ts';
import { type SessionOptions, type SessionPeer, sliceLimits } from './session-options.ts';
import { SessionWatch } from './session-watch.ts';

/** When the connection is gone; and when frames in slices are given up, which may be earlier. */
export interface SessionSignals {
  readonly gone: AbortSignal;
  readonly slicing: AbortSignal;
}

/** What an unfinished frame costs beside its bytes. */
export const UNFINISHED_OVERHEAD_BYTES = 2048;

export interface SessionParts {
  readonly clock: Clock;
  readonly network: string;
  /** The room of its tenant, as far as the rate and the debt of its address let it in. */
  readonly room: Room;
  readonly gate: ReadingGate;
  readonly watch: SessionWatch;
  readonly reader: FrameReader;
  readonly turns: FrameTurns;
  readonly taker: FrameTaker;
  readonly chunks: ChunkParts;
}

export function sessionParts(
  options: SessionOptions,
  from: SessionPeer,
  { gone, slicing }: SessionSignals,
): SessionParts {
  const { clock = systemClock, gate = new ReadingGate(Infinity, clock) } = options;
  const network = networkOfPeer(from.address);
  const roomOfTenant = options.roomOf?.(from.principal.tenant) ?? options.intake;
  const { debt = null } = from;
  const over = { clock, over: gone };
  const room = ratedRoom(ratedRoom(roomOfTenant, from.rate, over), debt, over);
  const { frameTimeoutMs = Infinity, idleTimeoutMs = 0 } = options;
  const watch = new SessionWatch({ frameTimeoutMs, idleTimeoutMs }, clock.monotonicMs());
  const { turn = forwardTurn(), unpackTurns = new FairSlots(1), unackedNames = new UnackedNames() } = options;
  const { intake, telemetry, unpacking: budget } = options;
  const limits = sliceLimits(options, { network, room, signal: slicing });
  const unpacker = new Unpacker({ budget, turns: unpackTurns, turn, network, room, signal: gone });
  const reader = new FrameReader({ ...options, network });
  const turns = new FrameTurns(turn, network, gone);
  const taker = new FrameTaker(from, { limits, unpacker });
  const chunks = { intake, telemetry, limits, unackedNames, turns, reader, debt };
  return { clock, network, room, gate, watch, reader, turns, taker, chunks };
}
