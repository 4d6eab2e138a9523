// What a seed decides before its run starts: the configuration, the topics, and the senders with all that they will
// send.

import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import type { ForwardMode } from './events.ts';
import type { Topic } from './kafka/broker.ts';
import type { WallClock } from './machine/process.ts';
import type { Random } from './machine/random.ts';
import { contentOf } from './content.ts';
import { ForwardSender, HttpSender, type Sender, type SenderWorld } from './sender.ts';

export const APPEND_BYTES_MAX = 12_000;
const BASE = loadConfig({ env: { SLUICE_KAFKA_BROKERS: 'simulated:9092' }, readFile: () => '' });

/** Sizes that are reached with few events, and times that do not make a run long. */
export function configOf(random: Random): Config {
  return {
    ...BASE,
    'kafka.produce_timeout_ms': random.integer(3000, 8000),
    'intake.max_bytes': random.integer(8000, 60_000),
    'gather.linger_ms': random.pick([0, 0, 5]),
    'gather.record_bytes': random.integer(500, 4000),
    'indexer.inflight_max_bytes': random.integer(4000, 120_000),
    'bulk.max_bytes': random.integer(1000, 20_000),
    'bulk.timeout_ms': random.integer(1000, 4000),
    'bulk.concurrency': random.integer(1, 4),
    'indexer.clock_skew_ms': random.pick([500, 2000, 5000, BASE['indexer.clock_skew_ms']]),
    'join.timeout_ms': random.integer(100, 1000),
    'shutdown.timeout_ms': random.integer(2000, 9000),
    // Turned off, too.
    multiline: random.chance(0.75),
  };
}

/** What is too large for a record of the logs goes to the dead letters in parts. */
export function topicsOf(config: Config, partitions: number): Map<string, Topic> {
  const batchBytesMax = APPEND_BYTES_MAX + 61;
  return new Map([
    [config['kafka.topic'], { partitions: Array.from({ length: partitions }, () => []), batchBytesMax }],
    [config['kafka.dead_letter_topic'], { partitions: [[]], batchBytesMax }],
  ]);
}

interface SendersGiven {
  readonly durationMs: number;
  readonly wallOf: (random: Random) => WallClock;
}

export function sendersOf(world: SenderWorld, random: Random, { durationMs, wallOf }: SendersGiven): Sender[] {
  const senders: Sender[] = [];
  const dockerShare = random.pick([0.2, 0.4, 1]);
  for (let i = random.integer(3, 6); i > 0; i--) {
    const name = `s${senders.length}`;
    const own = random.fork(name);
    const wall = own.chance(0.1) ? null : wallOf(own);
    if (own.chance(0.25)) {
      const hasId = own.chance(0.6);
      const dues = contentOf(world, own, { name, hasId, isDocker: false, durationMs, wall });
      senders.push(new HttpSender(world, own, name, dues));
      continue;
    }
    const isDocker = own.chance(dockerShare);
    const hasId = own.chance(0.85);
    const dues = contentOf(world, own, { name, hasId, isDocker, durationMs, wall });
    const window = isDocker ? 1 : own.integer(1, 5);
    const mode = isDocker ? 'message' : own.pick<ForwardMode>(['forward', 'packed', 'gzip', 'zstd']);
    senders.push(new ForwardSender(world, own, { name, mode, window, wanders: own.chance(0.1) }, dues));
  }
  return senders;
}
