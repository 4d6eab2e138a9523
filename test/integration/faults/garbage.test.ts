// Millions of bytes of damaged Forward frames, over many connections, to the real program all in one: it goes on, its
// memory stays within what its settings allow, and nothing is acked that is not stored, or with the dead letters where
// it cannot be read.
//
// Counts, dead letters and acks must be exactly those that were expected (garbage-expected.ts); each acked event is
// looked up by its name.
//
//   SLUICE_TEST_GARBAGE_BYTES=10000000   how many, 2,000,000 unless given

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { test } from 'node:test';
import { isJsonMode } from '#forwarder/decode/forward/json-mode.ts';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import { openQueue } from '#shared/open/open-queue.ts';
import { silentQueueObserver } from '#shared/queue/queue-observer.ts';
import { documentId } from '#shared/record/identity.ts';
import { decodeBatches } from '#shared/record/record.ts';
import { openStore } from '#shared/open/open-store.ts';
import { readStream } from '#test/forwarder/decode/forward/forward-stream.ts';
import { mutatedFrames } from '#test/forwarder/decode/mutate.ts';
import { newPlace, type Place, SluiceProcess } from '../parts/sluice-process.ts';
import { addConnection, Expected, SENDER } from './garbage-expected.ts';

const MIB = 1024 * 1024;
const BYTES = Number(process.env['SLUICE_TEST_GARBAGE_BYTES'] || 2_000_000);
/** Damage spoils what comes behind it on its connection; few frames each leave most connections something to say. */
const FRAMES_PER_CONNECTION = 3;
const CONNECTIONS = 8;
/**
 * All that V8 may fill before it collects; where memory is plenty it would take more than it needs, and hide what is
 * held.
 */
const HEAP_BYTES = 128 * MIB;

const limits = { frame: MIB, intake: 4 * MIB, indexer: 4 * MIB, bulk: MIB, bulks: 2, lines: 4 * MIB };
const settings = {
  SLUICE_LOG_LEVEL: 'error',
  SLUICE_FRAME_MAX_BYTES: String(limits.frame),
  SLUICE_INTAKE_MAX_BYTES: String(limits.intake),
  SLUICE_INDEXER_INFLIGHT_MAX_BYTES: String(limits.indexer),
  SLUICE_BULK_MAX_BYTES: String(limits.bulk),
  SLUICE_BULK_CONCURRENCY: String(limits.bulks),
  SLUICE_JOIN_MAX_BYTES: String(limits.lines),
  SLUICE_JOIN_LINE_MAX_BYTES: String(limits.frame),
  SLUICE_JOIN_TIMEOUT_MS: '500',
  NODE_OPTIONS: `--max-old-space-size=${HEAP_BYTES / MIB}`,
};
const limitBytes =
  CONNECTIONS * limits.frame + limits.intake + limits.indexer + limits.bulks * limits.bulk + limits.lines;
/** What is in hand is there as it came, unpacked, packed again, and as documents, at most. */
const FORMS = 4;

test(`${BYTES} bytes of damaged frames`, async (context) => {
  const seed = Number(process.env['SLUICE_TEST_SEED'] ?? Date.now() % 1_000_000);
  context.diagnostic(`seed ${seed} (SLUICE_TEST_SEED)`);
  await using place = await newPlace();
  await using program = await new SluiceProcess(['run'], place, settings).ready();
  const idleBytes = await peakBytes(program);
  const expected = await sendAll(place, connections(seed), new Expected());
  const percent = (100 * expected.accepted) / expected.frames;
  context.diagnostic(
    `${expected.frames} frames, ${percent.toFixed(0)} % reach intake with ${expected.events} events; ` +
      `${expected.rejected} values and ${expected.letters.length} pieces are dead letters; ${expected.acksHeard} of ${expected.acksDue} acks were heard`,
  );
  assert.ok(percent >= 30, `only ${percent} % of the frames reach intake`);
  assert.ok(expected.ackedIds.length > 1000, 'hardly anything was acked');

  await program.until(async () => (await program.metric('events_inflight')) === 0);
  await assertLedger(program, expected);
  await assertMemory(program, idleBytes, (line) => context.diagnostic(line));
  const stopped = await program.stop();
  assert.equal(stopped.code, 0, stopped.stderr);

  const names = await storedIds(place);
  const letters = await readLetters(place);
  for (const id of letters.ofEvents.keys()) names.add(id);
  const missing = expected.ackedIds.filter((id) => !names.has(id));
  assert.deepEqual(missing, [], 'acked, but neither stored nor with the dead letters');
  const stored = expected.ackedIds.filter((id) => letters.ofEvents.has(id));
  context.diagnostic(`${stored.length} of the acked entries are dead letters of the store`);
  for (const [id, bytes] of expected.ackedBad) assert.equal(letters.ofEvents.get(id), bytes, 'acked, and its letter');
  const others = [...letters.ofChunks];
  for (const bytes of expected.letters) {
    const at = others.indexOf(bytes);
    assert.ok(at >= 0, `no dead letter has ${Buffer.from(bytes, 'latin1').toString('hex')}`);
    others.splice(at, 1);
  }
  assert.equal(others.length, expected.deadLettered, 'dead letters of frames that are none');
});

/** The frames of a few at a time, each group for a connection of its own. */
function* connections(seed: number): Generator<Buffer[]> {
  let frames: Buffer[] = [];
  for (const frame of mutatedFrames(seed, BYTES)) {
    frames.push(frame);
    if (frames.length < FRAMES_PER_CONNECTION) continue;
    yield frames;
    frames = [];
  }
  if (frames.length > 0) yield frames;
}

/** As many connections at a time as `CONNECTIONS`, one after another until all is sent. */
async function sendAll(place: Place, groups: Iterator<Buffer[]>, expected: Expected): Promise<Expected> {
  const sendOn = async (): Promise<void> => {
    for (let group = groups.next(); !group.done; group = groups.next()) {
      const bytes = Buffer.concat(group.value);
      const seen = await readStream([bytes], limits.frame);
      const heard = await send(place.forward, bytes);
      expected.frames += group.value.length;
      addConnection(expected, { seen, heard, isJson: isJsonMode(bytes[0] ?? 0) });
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, sendOn));
  return expected;
}

/** Sends, says that no more comes, and resolves when the program has closed, with all that it said. */
function send(port: number, bytes: Buffer): Promise<Buffer> {
  const heard: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  connect({ port, host: SENDER })
    .on('data', (piece: Buffer) => heard.push(piece))
    .on('error', () => undefined) // What breaks a connection off may be a damaged frame; 'close' follows.
    .on('close', () => resolve(Buffer.concat(heard)))
    .end(bytes);
  return promise;
}

async function assertLedger(program: SluiceProcess, expected: Expected): Promise<void> {
  const [received, produced, rejected, consumed, indexed, deduplicated, deadLettered, imbalance] = await Promise.all(
    [
      'events_received_total',
      'events_produced_total',
      'events_rejected_total',
      'events_consumed_total',
      'events_indexed_total',
      'events_deduplicated_total',
      'events_dead_lettered_total',
      'ledger_imbalance',
    ].map((name) => program.metric(name)),
  );
  assert.equal(received, expected.events, 'events received');
  assert.equal(rejected, expected.rejected, 'values that are no entries');
  assert.equal(produced, expected.events - expected.rejected);
  assert.equal(consumed, produced);
  assert.equal((indexed ?? 0) + (deduplicated ?? 0) + (deadLettered ?? 0), consumed);
  assert.equal(imbalance, 0);
}

async function assertMemory(program: SluiceProcess, idleBytes: number, tell: (line: string) => void): Promise<void> {
  const peak = await peakBytes(program);
  const bound = idleBytes + FORMS * limitBytes + HEAP_BYTES;
  tell(`peak memory ${mib(peak)} MiB; idle ${mib(idleBytes)} MiB, bound ${mib(bound)} MiB`);
  assert.ok(peak <= bound, `peak memory ${mib(peak)} MiB, more than ${mib(bound)} MiB`);
}

const mib = (bytes: number): number => Math.round(bytes / MIB);

/** Most memory that the process ever had; 0 where the system does not tell. */
async function peakBytes({ pid }: SluiceProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

function configOf(place: Place) {
  return loadConfig({ env: { SLUICE_DATA_DIR: place.dataDir }, readFile: () => '' });
}

async function storedIds(place: Place): Promise<Set<string>> {
  await using store = await openStore(configOf(place), { readOnly: true });
  const ids = new Set<string>();
  const page = { order: 'oldest', limit: 5000 } as const;
  let documents = await store.search(page);
  while (documents.length > 0) {
    for (const { id } of documents) ids.add(id);
    const after = documents.at(-1)?.sort ?? [];
    documents = await store.search({ ...page, after });
  }
  return ids;
}

/** Those of single events, by their names, and all others. */
async function readLetters(place: Place): Promise<{ ofEvents: Map<string, string>; ofChunks: string[] }> {
  await using queue = await openQueue(configOf(place), {
    clock: systemClock,
    readOnly: true,
    observer: silentQueueObserver,
  });
  const letters = { ofEvents: new Map<string, string>(), ofChunks: [] as string[] };
  for await (const { headers, value } of queue.read({ topic: 'dead-letters' })) {
    const [batch] = decodeBatches(headers['batches'] ?? Buffer.alloc(0)) ?? [];
    assert.ok(batch, 'a letter tells its batch');
    const { index } = headers;
    const bytes = Buffer.from(value).toString('latin1');
    if (index) letters.ofEvents.set(documentId(batch, Number(Buffer.from(index).toString())), bytes);
    else letters.ofChunks.push(bytes);
  }
  return letters;
}
