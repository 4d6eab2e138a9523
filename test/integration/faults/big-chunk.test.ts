// A chunk as Fluentd's file buffer makes them after an outage, far above what is held in memory: acked over TCP and
// TLS, all of it held once, with a thousand small senders beside it. 80 MB here; SLUICE_TEST_BIG_CHUNK_MB=200 for as
// much as the promise says. The figures are printed; docs/guarantees.md has those of a quiet machine.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { Authority } from '#test/forwarder/admit/certificates.ts';
import { newPlace, SluiceProcess, type Place } from '../parts/sluice-process.ts';

const BYTES = Number(process.env['SLUICE_TEST_BIG_CHUNK_MB'] ?? 80) * 1e6;
/** What a chunk of any size may take beside what the same run takes without it. */
const MORE_MIB_MAX = 64;
const SENDERS = Number(process.env['SLUICE_TEST_BIG_CHUNK_SENDERS'] ?? 200);

interface Large {
  readonly frame: Buffer;
  readonly events: number;
}

/** A run of `BYTES` bytes, compressed member by member, as Fluentd does. */
function largeChunk(compressed: boolean): Large {
  const members: Buffer[] = [];
  let run: Buffer[] = [];
  let runBytes = 0;
  let bytes = 0;
  let events = 0;
  while (bytes < BYTES) {
    const log = `event ${events} ${crypto.randomUUID()} ${'lorem ipsum dolor sit amet '.repeat(8)}`;
    const entry = Buffer.from(encode([1_700_000_000 + events, { log }]));
    run.push(entry);
    runBytes += entry.length;
    bytes += entry.length;
    events += 1;
    if (runBytes < 8e6 && bytes < BYTES) continue;
    const member = Buffer.concat(run);
    members.push(compressed ? gzipSync(member, { level: 1 }) : member);
    run = [];
    runBytes = 0;
  }
  const body = Buffer.concat(members);
  const header = Buffer.alloc(5, 0xc6);
  header.writeUInt32BE(body.length, 1);
  const option = encode({ chunk: 'AAAA', size: events, ...(compressed && { compressed: 'gzip' }) });
  return { frame: Buffer.concat([Buffer.of(0x93), encode('big'), header, body, option]), events };
}

async function figure(place: Place, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${place.admin}/metrics`)).text();
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`sluice_${name} `) || line.startsWith(`sluice_${name}{`));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Small senders that wait for each ack; how long the acks took, in ms. */
class SmallSenders {
  readonly #sockets: Socket[] = [];
  waits: number[] = [];
  #isOver = false;

  async start(place: Place): Promise<this> {
    for (let i = 0; i < SENDERS; i += 1) {
      const socket = connect(place.forward, '127.0.0.1');
      this.#sockets.push(socket);
      await once(socket, 'connect');
      this.#work(socket, i);
    }
    return this;
  }

  stop(): void {
    this.#isOver = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #work(socket: Socket, sender: number): void {
    let sentMs = 0;
    let n = 0;
    const send = (): void => {
      if (this.#isOver) return;
      sentMs = performance.now();
      n += 1;
      socket.write(
        encode([`small.${sender % 50}`, 1_700_000_000, { log: `small ${sender} ${n}` }, { chunk: `${sender}-${n}` }]),
      );
    };
    socket.on('error', () => undefined);
    socket.on('data', () => {
      this.waits.push(performance.now() - sentMs);
      // About two events a second of each.
      setTimeout(send, 500);
    });
    setTimeout(send, (sender * 500) / SENDERS);
  }
}

function memory(pid: number | undefined): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]);
  return { now: kib('VmRSS') / 1024, peak: kib('VmHWM') / 1024 };
}

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

/** The most memory that the same run takes without the chunk, in MiB. */
async function memoryWithout(seconds: number): Promise<number> {
  await using place = await newPlace();
  await using program = await new SluiceProcess(['forwarder'], place, { SLUICE_QUEUE: 'embedded' }).ready();
  const senders = await new SmallSenders().start(place);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  senders.stop();
  return memory(program.pid).peak;
}

async function check(t: TestContext, large: Large, overTls: boolean): Promise<void> {
  using authority = overTls ? new Authority() : null;
  await using place = await newPlace();
  const certificate = authority?.issue({ name: 'localhost', alternatives: 'DNS:localhost,IP:127.0.0.1' });
  const tls = certificate && { SLUICE_TLS_CERT: certificate.cert, SLUICE_TLS_KEY: certificate.key };
  // With the embedded queue in front of an indexer's work, what is seen would be that of the indexer.
  const env = { SLUICE_QUEUE: 'embedded', ...tls };
  await using program = await new SluiceProcess(['forwarder'], place, env).ready();
  const senders = overTls ? null : await new SmallSenders().start(place);
  if (senders) {
    while (senders.waits.length < SENDERS * 3) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const before = memory(program.pid);
  const quiet = senders?.waits ?? [];
  if (senders) senders.waits = [];
  const socket = overTls
    ? connectTls({
        port: place.forward,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: readFileSync(authority?.certificate.cert ?? ''),
      })
    : connect(place.forward, '127.0.0.1');
  await once(socket, overTls ? 'secureConnect' : 'connect');
  const began = performance.now();
  socket.write(large.frame);
  const [ack] = (await Promise.race([once(socket, 'data'), once(socket, 'close').then(() => [null])])) as [
    Buffer | null,
  ];
  const seconds = (performance.now() - began) / 1000;
  assert.deepEqual(ack, Buffer.from(encode({ ack: 'AAAA' })), program.stderr);
  const after = memory(program.pid);
  const busy = senders?.waits ?? [];
  senders?.stop();
  socket.destroy();
  const small = quiet.length + busy.length;
  assert.equal(await figure(place, 'events_rejected_total'), 0);
  assert.equal(await figure(place, 'ledger_imbalance'), 0);
  assert.ok((await figure(place, 'events_produced_total')) >= large.events + small);
  assert.equal(await figure(place, 'frame_file_bytes'), 0);
  const told = (values: readonly number[]): string =>
    `median ${percentile(values, 0.5).toFixed(1)}, p99 ${percentile(values, 0.99).toFixed(1)}, most ${percentile(values, 1).toFixed(0)} ms`;
  t.diagnostic(
    `${large.events} events, frame of ${(large.frame.length / 1e6).toFixed(1)} MB, acked after ${seconds.toFixed(1)} s; ` +
      `memory ${before.peak.toFixed(0)} MiB at most before, ${after.peak.toFixed(0)} with it`,
  );
  let without = before.peak;
  if (senders && BYTES >= 200e6) {
    without = await memoryWithout(seconds);
    t.diagnostic(`the same run without it: ${without.toFixed(0)} MiB at most`);
  }
  assert.ok(after.peak - without <= MORE_MIB_MAX, `${(after.peak - without).toFixed(0)} MiB more`);
  if (senders)
    t.diagnostic(
      `${SENDERS} small senders: before ${told(quiet)} (${quiet.length}); beside it ${told(busy)} (${busy.length})`,
    );
}

const compressed = largeChunk(true);
test('a chunk by gzip, over TCP, beside small senders', (t) => check(t, compressed, false));
test('a chunk by gzip, over TLS', (t) => check(t, compressed, true));
test('a chunk that is not compressed', async (t) => check(t, largeChunk(false), false));
