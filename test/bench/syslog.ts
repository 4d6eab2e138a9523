// How fast syslog messages and GELF become entries: the inputs' own work on each byte.
// Run alone: `node test/bench/syslog.ts`.

import { GelfEntries } from '#forwarder/decode/gelf/gelf-entries.ts';
import { SyslogEntries } from '#forwarder/decode/syslog/syslog-entries.ts';
import { SyslogFrames } from '#forwarder/decode/syslog/syslog-frames.ts';
import { TimeZone } from '#forwarder/decode/syslog/time-zone.ts';
import { MsgpackWriter } from '#shared/msgpack/writer.ts';

const ROUNDS = 3000;
/** As much as a socket is read at once. */
const READ_BYTES = 64 * 1024;
const RECEIVED_SECONDS = Date.UTC(2026, 10, 21, 7) / 1000;

const text = 'INFO checkout order=1207 took 214 ms, everything went as it should for customer 9558853; '
  .repeat(3)
  .slice(0, 250);
const messages = {
  'RFC 3164': `<30>Nov 21 06:46:08 vm 6d368950bdd9[3290]: ${text}`,
  'RFC 5424, as Docker sends it': `<30>1 2026-11-21T06:46:11.652690Z vm e3f51dfc1041 3290 e3f51dfc1041 - ${text}`,
  'RFC 5424, with structured data': `<159>1 2026-11-21T06:47:29.744165+00:00 vm app - ID7 [timeQuality tzKnown="1" isSynced="0"][zoo@123 tiger="hungry"] ${text}`,
};
const gelf = {
  version: '1.1',
  host: 'vm',
  short_message: text,
  timestamp: 1_795_243_615.272,
  level: 6,
  _command: 'node server.js',
  _container_id: '82f47ba1cb0a21e6'.repeat(4),
  _container_name: 'shop-web-1',
  _created: '2026-11-21T06:46:55.074064802Z',
  _image_id: `sha256:${'725a0b5502706221'.repeat(4)}`,
  _image_name: 'shop/web:1.4',
  _tag: '82f47ba1cb0a',
};

export async function run(): Promise<void> {
  for (const [what, message] of Object.entries(messages)) report(`syslog to entries, ${what}`, syslogWork(message));
  report('GELF to entries', gelfWork());
}

/** Reads a block of messages; returns how many. */
function syslogWork(message: string): () => number {
  const line = `${message}\n`;
  const block = Buffer.from(line.repeat(Math.floor(READ_BYTES / line.length)));
  const frames = new SyslogFrames({ pieceBytesMax: READ_BYTES, nulEnds: false });
  const entries = new SyslogEntries(new TimeZone('Europe/Berlin'));
  const writer = new MsgpackWriter();
  return () => {
    let count = 0;
    frames.push(block);
    for (; frames.next() !== 'more'; count += 1) {
      const { bytes, start, end } = frames;
      entries.append(writer, { bytes, start, end, receivedSeconds: RECEIVED_SECONDS, host: '', part: null });
    }
    writer.take();
    writer.reset();
    return count;
  };
}

function gelfWork(): () => number {
  const message = Buffer.from(JSON.stringify(gelf));
  const entries = new GelfEntries();
  const writer = new MsgpackWriter();
  return () => {
    const count = Math.floor(READ_BYTES / message.length);
    for (let i = 0; i < count; i += 1) entries.append(writer, message);
    writer.take();
    writer.reset();
    return count;
  };
}

function report(what: string, work: () => number): void {
  for (let round = 0; round < ROUNDS / 10; round += 1) work(); // For the compiler.
  let count = 0;
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round += 1) count += work();
  const { user, system } = process.cpuUsage(before);
  console.log(`${what}: ${(count / (user + system)).toFixed(2)} M messages per CPU-second`);
}

if (import.meta.main) await run();
