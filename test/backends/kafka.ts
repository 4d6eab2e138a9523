// A real Kafka for tests: `kafka()` is the one that all suites of a run share (use topics and groups with names of your
// own), `startKafka()` a private one that a test may stop, kill and start again.

import { connect } from 'node:net';
import { startContainer } from './container.ts';
import { freePort } from './free-port.ts';
import { JarServer } from './jars.ts';
import { obtain, type Running } from './source.ts';

const containerPort = 9092;

export interface PrivateKafka extends AsyncDisposable {
  readonly brokers: string[];
  /** Where the topics are kept; the same over a restart, as is the address. */
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP, until `thaw`. */
  freeze(): void;
  thaw(): void;
}

let shared: Promise<{ brokers: string[]; how: string } | null> | undefined;

/** The shared Kafka; null where there is none to be had. */
export function kafka(): Promise<{ brokers: string[]; how: string } | null> {
  shared ??= obtain({ variable: 'SLUICE_TEST_KAFKA', container, jars }).then(
    (found) => found && { brokers: found.address.split(','), how: found.how },
  );
  return shared;
}

/**
 * A Kafka of the test's own, from the jars; it does not run yet. Throws where Java or Maven is missing.
 * `properties`: more lines of server.properties. `javaOptions`: of its Java.
 */
export async function privateKafka(properties = '', javaOptions = ''): Promise<PrivateKafka> {
  const environment = { BROKER_JAVA_OPTIONS: javaOptions };
  return broker({ port: await freePort(), controllerPort: await freePort(), properties, environment });
}

export interface KafkaClusterOptions {
  readonly brokers: number;
  /** Of each broker, as Java has it. */
  readonly heap: string;
  /** The file that a broker's output is appended to, and more options of its Java. */
  readonly log: (node: number) => string;
  readonly javaOptions: string;
}

/**
 * Brokers that hold what they have `brokers` times, in sync at least in all but one; none runs yet. Node ids count from
 * 1.
 */
export async function privateKafkaCluster(options: KafkaClusterOptions): Promise<PrivateKafka[]> {
  const places: { port: number; controllerPort: number }[] = [];
  for (let i = 0; i < options.brokers; i++) places.push({ port: await freePort(), controllerPort: await freePort() });
  const voters = places.map(({ controllerPort }, i) => `${i + 1}@127.0.0.1:${controllerPort}`).join(',');
  return places.map((place, i) =>
    broker({
      ...place,
      properties: `
node.id=${i + 1}
controller.quorum.voters=${voters}
default.replication.factor=${options.brokers}
offsets.topic.replication.factor=${options.brokers}
min.insync.replicas=${options.brokers - 1}`,
      environment: { BROKER_HEAP: options.heap, BROKER_JAVA_OPTIONS: options.javaOptions },
      log: options.log(i + 1),
    }),
  );
}

interface BrokerOptions {
  readonly port: number;
  readonly controllerPort: number;
  readonly properties: string;
  readonly environment?: Record<string, string>;
  readonly log?: string;
}

function broker({ port, controllerPort, properties, environment, log }: BrokerOptions): PrivateKafka {
  const server = new JarServer({
    name: 'kafka',
    environment: (home, data) => ({
      BROKER_HOME: home,
      BROKER_DATA: data,
      BROKER_PORT: String(port),
      BROKER_CONTROLLER_PORT: String(controllerPort),
      BROKER_PROPERTIES: properties,
      ...environment,
    }),
    serves: () => answersVersions(port),
    ...(log !== undefined && { log }),
  });
  return Object.assign(server, { brokers: [`127.0.0.1:${port}`] });
}

async function jars(): Promise<Running> {
  const server = await privateKafka();
  await server.start();
  return Object.assign(server, { address: server.brokers.join(), how: 'Kafka 4.1.0 from its jars' });
}

async function container(): Promise<Running> {
  const image = process.env['SLUICE_TEST_KAFKA_IMAGE'] || 'apache/kafka:4.1.0';
  // A broker tells clients where to reach it, so the port on the host must be known before the start.
  const port = await freePort();
  const started = await startContainer({
    image,
    ports: [{ container: containerPort, host: port }],
    environment: {
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: `PLAINTEXT://0.0.0.0:${containerPort},INTERNAL://127.0.0.1:9094,CONTROLLER://127.0.0.1:9093`,
      // The port on the host is not the broker's own way to itself, which transactions need.
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port},INTERNAL://127.0.0.1:9094`,
      KAFKA_INTER_BROKER_LISTENER_NAME: 'INTERNAL',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@127.0.0.1:9093',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    },
    serves: () => answersVersions(port),
  });
  return { ...started, address: `127.0.0.1:${port}`, how: `container of ${image}` };
}

/**
 * Whether a broker answers ApiVersions, which it does only once it serves; an open port says less (Docker's proxy opens
 * it at once).
 */
function answersVersions(port: number): Promise<boolean> {
  // length 12 | api key 18 | version 0 | correlation id 1 | client id "t"… as bytes of the Kafka protocol's request
  // header v1.
  const request = Buffer.from([0, 0, 0, 11, 0, 18, 0, 0, 0, 0, 0, 1, 0, 1, 0x74]);
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 2000 });
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.on('connect', () => socket.write(request));
    socket.on('data', () => settle(true));
    for (const failure of ['error', 'close', 'timeout']) socket.on(failure, () => settle(false));
  });
}
