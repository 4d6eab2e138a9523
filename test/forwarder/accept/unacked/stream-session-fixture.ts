// Sessions without acks on a socket in memory, with an intake that holds, refuses or has no room as it is told.

import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { after } from 'node:test';
import { type BadMessage } from '#forwarder/accept/unacked/bad-messages.ts';
import { GelfDecoder } from '#forwarder/accept/gelf/gelf-stream-decoder.ts';
import { BufferedMessages } from '#forwarder/accept/unacked/buffered-messages.ts';
import { LargeMessages } from '#forwarder/accept/convert/large-messages.ts';
import type { StreamDecoder } from '#forwarder/accept/unacked/stream-decoder.ts';
import { StreamSession } from '#forwarder/accept/unacked/stream-session.ts';
import { SyslogDecoder } from '#forwarder/accept/syslog/syslog-stream-decoder.ts';
import { TurnBytes } from '#forwarder/accept/turns/turn-bytes.ts';
import { Turns } from '#forwarder/accept/turns/step-scheduler.ts';
import { Unacked } from '#forwarder/accept/unacked/unacked-retry.ts';
import { UnreadRests } from '#forwarder/accept/unacked/unread-rests.ts';
import { TimeZone } from '#forwarder/decode/syslog/time-zone.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { FakeIntake } from '../forward/fake-intake.ts';

export const KIB = 1024;
export const IN_FLIGHT_BYTES_MAX = 4 * KIB * KIB;

export function newUnacked(intake: FakeIntake): Unacked {
  const silent = () => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const telemetry = new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), log);
  return new Unacked({ intake, telemetry, clock: systemClock });
}

export function newHeld(bytesMax = 16 * KIB * KIB): BufferedMessages {
  return new BufferedMessages({ bytesMax, timeoutMs: 300_000, clock: systemClock, hasRoom: () => true });
}

interface Given {
  readonly intake?: FakeIntake;
  readonly held?: BufferedMessages;
  readonly rests?: UnreadRests;
  readonly turns?: Turns;
  readonly sender?: string;
}

export function open(decoder: StreamDecoder, given: Given = {}) {
  const { intake = new FakeIntake() } = given;
  const unacked = newUnacked(intake);
  const { held = newHeld(), rests = new UnreadRests(8 * KIB * KIB), sender = '192.0.2.1' } = given;
  const { turns = new Turns(systemClock) } = given;
  const ended: string[] = [];
  const socket = new PassThrough();
  const session = new StreamSession(socket as unknown as Socket, {
    input: 'gelf',
    tag: 'gelf',
    sender,
    principal: ANYONE,
    rate: null,
    debt: null,
    decoder,
    unacked,
    clock: systemClock,
    held,
    rests,
    turns,
    turnBytes: new TurnBytes(128 * KIB),
    ended: (reason) => ended.push(reason),
  });
  return { intake, unacked, turns, socket, session, ended };
}

const large = new LargeMessages({ clock: systemClock });
after(() => large[Symbol.asyncDispose]());
export const gelf = (bytesMax = 64 * KIB, other = large) => new GelfDecoder(bytesMax, other);

export function syslog(): SyslogDecoder {
  const newPartId = () => 'part';
  const options = { messageBytesMax: 64 * KIB, zone: new TimeZone('UTC'), clock: systemClock };
  return new SyslogDecoder({ ...options, sender: '192.0.2.1', newPartId });
}

export const messagesOf = (letters: readonly BadMessage[]) => letters.reduce((sum, { count = 1 }) => sum + count, 0);
export const textOf = (letters: readonly BadMessage[]) =>
  letters.map(({ bytes, count }) => Buffer.from(bytes).toString() + (count === undefined ? '\0' : '')).join('');

export const eventsOf = ({ chunks }: FakeIntake) => chunks.reduce((sum, { count }) => sum + count, 0);
export const settled = async () => {
  for (let i = 0; i < 5; i += 1) await new Promise(setImmediate);
};
