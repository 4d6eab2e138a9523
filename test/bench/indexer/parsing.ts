// What it costs the whole indexer to read lines for what they say: fetch from Kafka, decode, documents, bulk requests,
// to an endpoint that only counts. The same events are indexed with and without reading, in turns, since a shared
// machine is faster in one minute than in the next. Each run is a process of its own, whose processor time is counted
// once it has settled as many events as are counted then. `--events N`: more or fewer than 240,000 of each kind.

import { fork } from 'node:child_process';
import { kafka } from '#test/backends/kafka.ts';
import { V8_FLAGS } from '../../../services/sluice/process/v8-flags.ts';
import { median } from '../parts/median.ts';
import { ENTRIES_PER_RECORD, dockerEntries, dropTopics, fill, index, message, newTopic } from './run.ts';

const EVENTS = 240_000;
const ROUNDS = 5;

interface Kind {
  readonly name: string;
  /** Events per CPU-second that must be left, in percent. */
  readonly goal: number;
  readonly textOf: (n: number) => string;
}

const kinds: readonly Kind[] = [
  { name: 'text', goal: 75, textOf: plainText },
  {
    name: 'time LEVEL text',
    goal: 75,
    textOf: (n) => `${isoTime(n)} ${n % 50 === 0 ? 'WARN' : 'INFO'} ${plainText(n)}`,
  },
  { name: 'JSON lines', goal: 50, textOf: (n) => (n % 2 === 0 ? pinoLine(n) : zapLine(n)) },
];

export async function run({ events = EVENTS }: { readonly events?: number } = {}): Promise<void> {
  const broker = await kafka();
  if (!broker) {
    console.log('parsing: skipped, there is no Kafka');
    return;
  }
  const counter = fork(new URL('../parts/counting-bulk.ts', import.meta.url));
  const { port } = await message<{ port: number }>(counter);
  try {
    for (const kind of kinds) await measure(kind, events, broker.brokers, port);
  } finally {
    counter.disconnect();
  }
}

async function measure({ name, goal, textOf }: Kind, events: number, brokers: string[], port: number): Promise<void> {
  const topic = newTopic(brokers, port);
  try {
    const records = Math.ceil((2 * events) / ENTRIES_PER_RECORD);
    const entryBytes = await fill(topic, records, (record) => dockerEntries(record, textOf));
    const all = records * ENTRIES_PER_RECORD;
    /** Microseconds of CPU for an event. */
    const cost = async (reads: boolean): Promise<number> => {
      const env = { SLUICE_PARSE: String(reads) };
      const report = await index(topic, all, { env, flags: V8_FLAGS, warmUp: events });
      if (report.imbalance !== 0) throw new Error(`the ledger does not close: ${report.imbalance}`);
      return (1e6 * report.cpuSeconds) / report.events;
    };
    const rounds: { readonly read: number; readonly unread: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // Each comes first as often.
      const early = round % 2 === 0 ? null : await cost(false);
      const read = await cost(true);
      rounds.push({ read, unread: early ?? (await cost(false)) });
    }
    const [read, unread] = [median(rounds.map((each) => each.read)), median(rounds.map((each) => each.unread))];
    const share = 100 * median(rounds.map((each) => each.unread / each.read));
    console.log(
      `parsing ${name}, medians of ${ROUNDS}: ${read.toFixed(2)} CPU-seconds per million events, ` +
        `${unread.toFixed(2)} unread; ${share.toFixed(0)} % of the events per CPU-second are left ` +
        `(goal: at least ${goal} %, ${share >= goal ? 'kept' : 'MISSED'}; entries of ${entryBytes.toFixed(0)} bytes)`,
    );
  } finally {
    await dropTopics(topic);
  }
}

/** Of about 180 bytes. */
function plainText(n: number): string {
  return (
    `request ${idOf(n)} for /api/v1/items/${n}?page=2 was answered with 200 "ok" after ${n % 977}.4 ms for user ` +
    `u${n % 97}, of which the database took ${n % 61} ms in ${n % 7} queries; cache: miss, agent curl/8.1`
  );
}

function pinoLine(n: number): string {
  const [reqId, responseTime] = [idOf(n), (n % 9770) / 10];
  const url = `/api/v1/items/${n}?page=2`;
  return JSON.stringify({
    level: n % 100 === 0 ? 50 : 30, time: timeMs(n), pid: 7, hostname: 'web-1', name: 'shop',
    req: { id: reqId, method: 'GET', url }, res: { statusCode: 200 }, user: `u${n % 97}`, responseTime,
    msg: 'request completed',
  }); // prettier-ignore
}

function zapLine(n: number): string {
  const trace = idOf(n).repeat(4);
  return JSON.stringify({
    level: n % 100 === 1 ? 'warn' : 'info', ts: timeMs(n) / 1000, logger: 'cart', caller: `cart/handler.go:${n % 400}`,
    msg: 'item was added to the cart', trace_id: trace, item: n, quantity: n % 5, took: (n % 9770) / 10_000,
    user: `u${n % 97}`,
  }); // prettier-ignore
}

function idOf(n: number): string {
  return (Math.imul(n, 2654435761) >>> 0).toString(16).padStart(8, '0');
}

function timeMs(n: number): number {
  return 1_767_323_045_678 + n;
}

function isoTime(n: number): string {
  return new Date(timeMs(n)).toISOString();
}
