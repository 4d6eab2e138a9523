// Everything that runs: three brokers, an Elasticsearch, two forwarders and three indexers, as an operator would set
// them up, the proxies between them, and the folder of their logs. It ends with this process, however that ends.

import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { systemClock } from '#shared/clock.ts';
import { loadConfig } from '#shared/config/load.ts';
import type { Config } from '#shared/config/settings.ts';
import { type PrivateElasticsearch, privateElasticsearch } from '#test/backends/elasticsearch.ts';
import { type PrivateKafka, privateKafkaCluster } from '#test/backends/kafka.ts';
import { DataStream } from './data-stream.ts';
import { DoomedTopic } from './faults/doomed-topic.ts';
import { Member } from './member.ts';
import { RefusingProxy } from '#test/integration/parts/refusing-proxy.ts';
import { Proxy } from './faults/proxy.ts';
import { population } from './schedule.ts';
import { SmallDisk } from './faults/small-disk.ts';

const program = join(import.meta.dirname, '../../dist/sluice.js');
const partitions = 12;
/** Which forwarder has workers, and how many. */
export const workersAt = 1;
const workers = 2;
/**
 * Longer than what Elasticsearch does late after a freeze; short, since what a partition held at an assignment is not
 * committed before.
 */
const bulkTimeoutMs = 20_000;
const readyMs = 60_000;
const run = promisify(execFile);

// What the brokers say of groups and leaders, which is where rebalances and stale clients show.
const brokerLogging = `status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.group.name = org.apache.kafka.coordinator.group
logger.group.level = info
`;

export interface WorldOptions {
  /** For data and for logs; both exist. */
  readonly dataDir: string;
  readonly logDir: string;
  /** Whether disks that can be filled up may be mounted. */
  readonly mayMount: boolean;
  readonly say: (line: string) => void;
  /** A process of Sluice has ended by itself; it is started again. */
  readonly fell: (name: string, code: number | null) => void;
}

export class World implements AsyncDisposable {
  readonly brokers: readonly PrivateKafka[];
  readonly elasticsearch: PrivateElasticsearch;
  readonly forwarders: readonly Member[];
  readonly indexers: readonly Member[];
  /** One in front of each forwarder. */
  readonly senderProxies: readonly Proxy[];
  readonly answerProxy: Proxy;
  readonly disks: readonly SmallDisk[];
  readonly dataStream: DataStream;
  readonly doomed: DoomedTopic;
  /** That of an indexer or forwarder, for who wants to look into Kafka. */
  readonly config: Config;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #started: AsyncDisposableStack;

  private constructor(parts: Parts, started: AsyncDisposableStack) {
    this.brokers = parts.brokers;
    this.elasticsearch = parts.elasticsearch;
    this.forwarders = parts.forwarders;
    this.indexers = parts.indexers;
    this.senderProxies = parts.senderProxies;
    this.answerProxy = parts.answerProxy;
    this.disks = parts.disks;
    this.doomed = parts.doomed;
    this.dataStream = new DataStream(parts.elasticsearch.url);
    this.#environment = parts.environment;
    this.config = loadConfig({ env: parts.environment, readFile: () => '' });
    this.#started = started;
  }

  /** Starts it all; resolves when everybody is ready. */
  static async start(options: WorldOptions): Promise<World> {
    await using starting = new AsyncDisposableStack();
    const { brokers, elasticsearch } = await startBackends(options, starting);
    const answerProxy = starting.use(await Proxy.start(Number(new URL(elasticsearch.url).port)));
    const environment = {
      SLUICE_KAFKA_BROKERS: brokers.flatMap((broker) => broker.brokers).join(','),
      SLUICE_KAFKA_PARTITIONS: String(partitions),
      SLUICE_ELASTICSEARCH_URL: `http://127.0.0.1:${answerProxy.port}`,
      SLUICE_BULK_TIMEOUT_MS: String(bulkTimeoutMs),
      // What a busy machine answers within that time: larger ones would be sent again and again.
      SLUICE_BULK_MAX_BYTES: '512KiB',
      SLUICE_LOG_LEVEL: 'debug',
    };
    for (const line of await linesOf(environment, ['setup'])) options.say(line);

    const make = memberMaker(options, environment);
    const disks = Array.from(
      { length: population.forwarder },
      (_, i) => new SmallDisk(join(options.dataDir, `forwarder-${i}`), options.mayMount),
    );
    for (const disk of disks) starting.use(disk);
    const forwarders: Member[] = [];
    for (const [i, { folder }] of disks.entries()) {
      const more: Environment = i === workersAt ? { SLUICE_WORKERS: String(workers) } : {};
      forwarders.push(await make('forwarder', i, { dataDir: folder, environment: more }));
    }
    const indexers: Member[] = [];
    for (let i = 0; i < population.indexer; i++) indexers.push(await make('indexer', i, {}));
    const refusing = starting.use(await RefusingProxy.start(elasticsearch.url));
    const doomed = await makeDoomed(options, { make, refusing, environment });
    for (const member of [...forwarders, ...indexers, ...doomed.members]) {
      starting.use(member);
      member.start();
    }
    const senderProxies = await Promise.all(forwarders.map(({ forwardPort }) => Proxy.start(forwardPort)));
    for (const proxy of senderProxies) starting.use(proxy);
    const members = { forwarders, indexers, doomed };
    const parts = { ...members, brokers, elasticsearch, senderProxies, answerProxy, disks, environment };
    const world = new World(parts, starting.move());
    await world.ready();
    return world;
  }

  get members(): readonly Member[] {
    return [...this.forwarders, ...this.indexers, ...this.doomed.members];
  }

  /** Resolves when every process of Sluice is ready; rejects after a minute, with who is not. */
  async ready(): Promise<void> {
    const deadlineMs = systemClock.monotonicMs() + readyMs;
    for (const member of this.members) {
      while (!(await member.isReady())) {
        if (systemClock.monotonicMs() > deadlineMs) throw new Error(`Cannot go on: ${member.name} does not get ready`);
        await delay(100);
      }
    }
  }

  /** The lines of a command of Sluice. */
  linesOf(...command: string[]): Promise<string[]> {
    return linesOf(this.#environment, command);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#started.disposeAsync();
  }
}

/** Starts the brokers and Elasticsearch; they end with `starting`. */
async function startBackends({ dataDir, logDir, say }: WorldOptions, starting: AsyncDisposableStack) {
  const logging = join(dataDir, 'log4j2.properties');
  writeFileSync(logging, brokerLogging);
  say(`starting ${population.broker} brokers and Elasticsearch`);
  const brokers = await privateKafkaCluster({
    brokers: population.broker,
    heap: '320m',
    log: (node) => join(logDir, `broker-${node}.log`),
    javaOptions: `-Dlog4j2.configurationFile=${logging}`,
  });
  for (const broker of brokers) starting.use(broker);
  const log = join(logDir, 'elasticsearch.log');
  const elasticsearch = starting.use(await privateElasticsearch({ heap: '1g', log }));
  await Promise.all([...brokers, elasticsearch].map((server) => server.start()));
  return { brokers, elasticsearch };
}

type Environment = Readonly<Record<string, string>>;
/** `dataDir`: that of the world if absent; `environment`: more of it. */
type MakeMember = (
  command: string,
  number: number,
  more: { dataDir?: string; environment?: Environment },
) => Promise<Member>;

function memberMaker({ dataDir, logDir, fell }: WorldOptions, environment: Environment): MakeMember {
  return (command, number, more) => {
    const name = `${command}-${number}`;
    const clockFile = join(dataDir, `${name}.clock`);
    const own = { dataDir: more.dataDir ?? dataDir, environment: { ...environment, ...more.environment } };
    return Member.make({ command, name, clockFile, logDir, fell, ...own });
  };
}

interface DoomedNeeds {
  readonly make: MakeMember;
  readonly refusing: RefusingProxy;
  readonly environment: Environment;
}

/** Sets up the topic that loses what was acked, with a forwarder and an indexer of its own. */
async function makeDoomed({ dataDir, logDir }: WorldOptions, needs: DoomedNeeds): Promise<DoomedTopic> {
  const { make, refusing } = needs;
  const environment = {
    ...needs.environment,
    SLUICE_KAFKA_TOPIC: 'doomed.logs',
    SLUICE_KAFKA_DEAD_LETTER_TOPIC: 'doomed.dead-letters',
    SLUICE_KAFKA_GROUP: 'doomed-indexer',
    SLUICE_KAFKA_PARTITIONS: '3',
    SLUICE_ELASTICSEARCH_URL: refusing.url,
    SLUICE_INDEXER_INFLIGHT_MAX_BYTES: '1MiB',
    SLUICE_SHUTDOWN_TIMEOUT_MS: '2000',
  };
  await linesOf(environment, ['setup']);
  return new DoomedTopic({
    forwarder: await make('forwarder', 9, { dataDir: join(dataDir, 'doomed'), environment }),
    indexer: await make('indexer', 9, { environment }),
    refusing,
    config: loadConfig({ env: environment, readFile: () => '' }),
    logFile: join(logDir, 'indexer-9.log'),
    linesOf: (...command) => linesOf(environment, command),
  });
}

async function linesOf(environment: Readonly<Record<string, string>>, command: readonly string[]): Promise<string[]> {
  const { stdout } = await run(process.execPath, [program, ...command], {
    env: { ...process.env, ...environment },
    maxBuffer: 1 << 30,
  });
  return stdout.split('\n').filter((line) => line !== '');
}

interface Parts {
  readonly brokers: readonly PrivateKafka[];
  readonly elasticsearch: PrivateElasticsearch;
  readonly forwarders: readonly Member[];
  readonly indexers: readonly Member[];
  readonly senderProxies: readonly Proxy[];
  readonly answerProxy: Proxy;
  readonly disks: readonly SmallDisk[];
  readonly doomed: DoomedTopic;
  readonly environment: Readonly<Record<string, string>>;
}
