// A syslog input on a free port, behind a door with these limits, and what it has taken.

import { startSyslogInput } from '#forwarder/accept/syslog/syslog-input.ts';
import { ANYONE } from '#forwarder/intake/principal.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { systemClock } from '#shared/clock.ts';
import { createLog } from '#shared/log.ts';
import { Metrics } from '#shared/metrics.ts';
import { FakeIntake } from '#test/forwarder/accept/forward/fake-intake.ts';
import { type DoorChanges, openDoor } from './open-door.ts';

export async function startSyslog(limits: DoorChanges) {
  const intake = new FakeIntake();
  const log = createLog('error', systemClock, { lines: { write() {} } });
  const input = await startSyslogInput({
    intake,
    telemetry: new ForwarderTelemetry(new Metrics({ version: '0', command: 'test' }), log),
    clock: systemClock,
    door: openDoor({ input: 'syslog', ...limits }),
    admit: () => ANYONE,
    datagramRates: null,
    tag: 'syslog',
    receiveBufferBytes: 65_536,
    listen: '127.0.0.1:0',
    tlsListen: undefined,
    tls: null,
    timeZone: 'UTC',
    messageBytesMax: 65_536,
  });
  const taken = (): number => intake.chunks.reduce((sum, { count }) => sum + count, 0);
  return { input, port: Number(input.addresses[0]?.split(':')[1]), taken };
}
