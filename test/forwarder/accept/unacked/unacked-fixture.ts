// The syslog and GELF inputs on real sockets, with an intake that holds, refuses or has no room as it is told.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import type { TestContext } from 'node:test';
import { decode } from '@msgpack/msgpack';
import { startGelfInput } from '#forwarder/accept/gelf/gelf-input.ts';
import { startSyslogInput } from '#forwarder/accept/syslog/syslog-input.ts';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { ANYONE, type Principal } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { SluiceError } from '#shared/errors.ts';
import { Metrics } from '#shared/metrics.ts';
import { type EntrySpan, splitEntries } from '#shared/msgpack/split-entries.ts';
import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { FakeIntake } from '../forward/fake-intake.ts';

export const unavailable = new SluiceError('queue_unavailable', 'Cannot take events: a test says so');

interface Setup {
  readonly listen?: string;
  readonly messageBytesMax?: number;
  readonly receiveBufferBytes?: number;
  readonly admit?: () => Principal | null;
}

export async function start(t: TestContext, input: 'syslog' | 'gelf', setup: Setup = {}) {
  const {
    listen = '127.0.0.1:0',
    messageBytesMax = 65_536,
    receiveBufferBytes = 1 << 20,
    admit = () => ANYONE,
  } = setup;
  const intake = new FakeIntake();
  const metrics = new Metrics({ version: '0', command: 'test' });
  const logged: Record<string, unknown>[] = [];
  const note = (event: string, fields: object = {}) => void logged.push({ event, ...fields });
  const telemetry = new ForwarderTelemetry(metrics, { debug: note, info: note, warn: note, error: note });
  const door = openDoor({ input, admits: () => admit() !== null, telemetry });
  const edge = { intake, telemetry, clock: systemClock, door, admit };
  const common = { ...edge, tag: input, receiveBufferBytes, datagramRates: null };
  const server =
    input === 'syslog'
      ? await startSyslogInput({ ...common, listen, tlsListen: undefined, tls: null, timeZone: 'UTC', messageBytesMax })
      : await startGelfInput({ ...common, listen, messageBytesMax });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (!isClosed) await server.close();
    isClosed = true;
  };
  t.after(close);
  const port = Number(server.addresses[0]?.split(':').at(-1));
  const sample = async (line: string): Promise<number> => {
    const { body } = await metrics.render();
    return Number(
      body
        .split('\n')
        .find((row) => row.startsWith(`sluice_${line} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  };
  return { intake, close, port, sample, logged };
}

export async function connected(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

export async function sendDatagrams(port: number, datagrams: readonly (string | Buffer)[]): Promise<void> {
  const socket = createSocket('udp4');
  for (const datagram of datagrams) {
    await new Promise<void>((resolve, reject) =>
      socket.send(datagram, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
    );
  }
  socket.close();
}

type Fields = Record<string, unknown>;

export function records(chunks: readonly Chunk[]): Fields[] {
  return chunks.flatMap(({ entries, count }) => {
    const found = spansOf(entries, entries.length);
    const values: Fields[] = [];
    for (const { start, end } of found) {
      for (let at = start; at < end;) {
        const one = nextEntry(entries, at, end);
        values.push(one.record);
        at = one.end;
      }
    }
    assert.equal(values.length, count);
    return values;
  });
}

function spansOf(bytes: Uint8Array, bytesMax: number): EntrySpan[] {
  return [...splitEntries(bytes, bytesMax)].filter((span) => span !== null);
}

function nextEntry(bytes: Uint8Array, at: number, end: number): { record: Fields; end: number } {
  for (const span of spansOf(bytes.subarray(at, end), 1)) {
    const [, record] = decode(bytes.subarray(at + span.start, at + span.end)) as [unknown, Fields];
    return { record, end: at + span.end };
  }
  throw new Error('there is no entry');
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await systemClock.sleep(5);
}

export const messagesDeadLettered = (intake: FakeIntake) =>
  intake.deadLettered.reduce((sum, { count = 1 }) => sum + count, 0);
export const texts = (intake: FakeIntake) => records(intake.chunks).map((record) => record['message'] ?? record['log']);
