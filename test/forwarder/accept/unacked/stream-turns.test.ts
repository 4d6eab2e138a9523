// Connections without acks that have something to take in the same turn of the event loop: whose turn comes next.

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { BufferedMessages } from '#forwarder/accept/unacked/buffered-messages.ts';
import { StreamSession } from '#forwarder/accept/unacked/stream-session.ts';
import { SyslogDecoder } from '#forwarder/accept/syslog/syslog-stream-decoder.ts';
import { TurnBytes } from '#forwarder/accept/turns/turn-bytes.ts';
import { Turns } from '#forwarder/accept/turns/step-scheduler.ts';
import { Unacked } from '#forwarder/accept/unacked/unacked-retry.ts';
import { UnreadRests } from '#forwarder/accept/unacked/unread-rests.ts';
import { TimeZone } from '#forwarder/decode/syslog/time-zone.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock as clock } from '#shared/clock.ts';
import { Metrics } from '#shared/metrics.ts';
import { FakeIntake } from '../forward/fake-intake.ts';

test('networks have their turns one after another, however many connections one has', async () => {
  const intake = new FakeIntake();
  const silent = () => undefined;
  const log = { debug: silent, info: silent, warn: silent, error: silent };
  const telemetry = new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), log);
  const shared = {
    input: 'syslog',
    tag: 'syslog',
    principal: ANYONE,
    rate: null,
    debt: null,
    unacked: new Unacked({ intake, telemetry, clock }),
    clock,
    held: new BufferedMessages({ bytesMax: 1024 * 1024, timeoutMs: 300_000, clock, hasRoom: () => true }),
    rests: new UnreadRests(1024 * 1024),
    turns: new Turns(clock),
    // One read for each turn.
    turnBytes: new TurnBytes(1),
    ended: silent,
  } as const;
  const many = '192.0.2.1';
  const single = '192.0.2.2';
  const senders = [many, many, many, many, single];
  const opened = senders.map((sender) => {
    const options = { sender, messageBytesMax: 1024, zone: new TimeZone('UTC'), clock, newPartId: () => 'part' };
    const socket = new PassThrough();
    const decoder = new SyslogDecoder(options);
    const session = new StreamSession(socket as unknown as Socket, { ...shared, sender, decoder });
    return { socket, session };
  });
  for (const { socket } of opened) socket.write('<13>event\n');
  await intake.arrived(senders.length);
  assert.deepEqual(
    intake.chunks.map(({ sender }) => sender),
    [many, many, single, many, many],
  );
  for (const { socket } of opened) socket.end();
  await Promise.all(opened.map(({ session }) => session.closed));
});
