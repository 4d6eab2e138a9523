// A forwarder of the simulation: the real sessions, intake, lanes and Kafka queue, put together as `startForwarder`
// does it, in a process that can be killed at any moment and started again.

import { openDoor } from '#test/forwarder/admit/open-door.ts';
import { observeInWords } from '#shared/queue/queue-observer.ts';
import { EventEmitter } from 'node:events';
import type { Server } from 'node:net';
import { forwardMemory } from '#forwarder/accept/forward/forward-memory.ts';
import { ForwardConnections } from '#forwarder/accept/forward/forward-connections.ts';
import { ReadingGate } from '#forwarder/accept/gate/reading-gate.ts';
import { RefusalPace } from '#forwarder/accept/turns/refusal-pace.ts';
import { loadAdmission } from '#forwarder/admit/admission.ts';
import { LoginLimit } from '#forwarder/admit/login-limit.ts';
import type { Chunk, SlicedIntake, Undecodable } from '#forwarder/intake/chunk.ts';
import { largeBudget } from '#forwarder/build-intake.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { observeSpool } from '#forwarder/intake/spool-telemetry.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import type { Config } from '#shared/config/settings.ts';
import type { Log } from '#shared/log.ts';
import { KafkaQueue } from '#shared/queue/kafka/kafka-queue.ts';
import { decodeSpoolEntry } from '#shared/queue/spooled/local/spool-entry.ts';
import { SpooledQueue } from '#shared/queue/spooled/spooled-queue.ts';
import type { TopicFigures } from '#shared/queue/spooled/topic-memory.ts';
import { type ClientEnd, Connection, type ConnectionWorld } from './machine/connection.ts';
import type { SimChunk } from './events.ts';
import { simulatedKafka } from './kafka/client.ts';
import type { ClientWorld } from './kafka/link.ts';
import { SimMetrics } from './metrics.ts';
import type { Oracle } from './oracle/oracle.ts';
import { SimProcess, type WallClock } from './machine/process.ts';
import { SpoolDisk, SpoolLog } from './machine/spool-disk.ts';

export interface ForwarderWorld extends ConnectionWorld, ClientWorld {
  readonly oracle: Oracle;
  readonly config: Config;
}

/** What outlives the forwarders of a machine. */
interface Machine {
  readonly wall: WallClock;
  readonly disk: SpoolDisk;
  /** What was known of the topic when it was reached last. */
  remembered: TopicFigures;
}

/** A machine where forwarders run, one after another. */
export class Forwarder implements Machine {
  readonly name: string;
  readonly wall: WallClock;
  readonly disk: SpoolDisk;
  remembered: TopicFigures;
  readonly #world: ForwarderWorld;
  #run: Run | null = null;
  #runs = 0;

  constructor(world: ForwarderWorld, name: string, wall: WallClock, remembered: TopicFigures) {
    this.#world = world;
    this.name = name;
    this.wall = wall;
    this.remembered = remembered;
    this.disk = new SpoolDisk(world, ({ headers, value }) => {
      const entry = decodeSpoolEntry(headers, value);
      if (entry?.kind === 'record') world.oracle.spooled(name, entry.record.encoding, entry.record.value);
      else if (entry) world.oracle.spooled(name, 'identity', entry.deadLetter.value);
    });
  }

  get run(): Run | null {
    return this.#run;
  }

  start(): void {
    if (this.#run) return;
    this.#world.trace.note(this.name, 'starts');
    this.#run = new Run(this.#world, `${this.name}.${this.#runs++}`, this);
  }

  kill(): void {
    this.#world.trace.note(this.name, 'is killed');
    this.#run?.process.kill();
    this.#run = null;
  }

  /** As on SIGTERM. Resolves when it has ended, by itself or by force. */
  async stop(): Promise<void> {
    const run = this.#run;
    if (!run) return;
    this.#world.trace.note(this.name, 'stops');
    const limit = run.process.sleep(this.#world.config['shutdown.timeout_ms']);
    await Promise.race([run.stop(), limit, run.process.ended]);
    if (this.#run !== run) return;
    run.check('after its stop');
    run.process.kill();
    this.#world.trace.note(this.name, 'has stopped');
    this.#run = null;
  }

  /** Null where nobody listens. */
  connect(address: string, who: string, client: ClientEnd): Connection | null {
    return this.#run?.connect(address, who, client) ?? null;
  }

  post(chunk: SimChunk, address: string, entries: Buffer, answered: (isHeld: boolean) => void): void {
    if (this.#run) this.#run.post(chunk, address, entries, answered);
    else this.#world.time.after(1, () => answered(false));
  }
}

class Run {
  readonly process: SimProcess;
  readonly metrics = new SimMetrics();
  readonly #world: ForwarderWorld;
  readonly #kafka: KafkaQueue;
  readonly #queue: SpooledQueue;
  readonly #intake: QueueIntake;
  readonly #watched: SlicedIntake;
  /** Emits the sockets of senders. */
  readonly #server = new EventEmitter();
  readonly #connections: ForwardConnections;
  #open = 0;
  #stopped: Promise<void> | null = null;

  constructor(world: ForwarderWorld, name: string, machine: Machine) {
    const { config, trace, time } = world;
    const process = new SimProcess(name, time, machine.wall);
    this.process = process;
    this.#world = world;
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: (event, fields) => trace.note(name, `${event} ${JSON.stringify(fields ?? {})}`),
      error: (event, fields) => trace.note(name, `${event} ${JSON.stringify(fields ?? {})}`),
    };
    this.#kafka = new KafkaQueue(config, {
      clock: process,
      client: simulatedKafka(world, process),
      observer: observeInWords((message) => trace.note(name, message)),
      debug: () => undefined,
    });
    const metrics = this.metrics.registry;
    const telemetry = new ForwarderTelemetry(metrics, log);
    this.#queue = new SpooledQueue({
      upstream: this.#kafka,
      local: new SpoolLog(machine.disk, process),
      clock: process,
      random: world.random.fork(name).next,
      remembered: machine.remembered,
      learned: (figures) => (machine.remembered = figures),
      // As little as a few records, so that partitions leave some in the spool and come back for them.
      readAheadBytesMax: 400,
      observer: observeSpool({
        telemetry,
        metrics,
        log,
        clock: process,
        figures: () => ({ events: this.#queue.events, bytes: 0, bytesMax: 0, oldestMs: this.#queue.oldestMs, left: 0 }),
      }),
    });
    this.#intake = new QueueIntake({
      queue: this.#queue,
      clock: process,
      telemetry,
      bytesMax: config['intake.max_bytes'],
      lingerMs: config['gather.linger_ms'],
      sealBytes: config['gather.record_bytes'],
      openWaitMs: config['kafka.produce_timeout_ms'],
    });
    this.#watched = watched(this.#intake, process, world.oracle);
    this.#connections = this.#openConnections(telemetry);
  }

  /** Where the sockets of senders come in. */
  #openConnections(telemetry: ForwarderTelemetry): ForwardConnections {
    const { process } = this;
    const { config } = this.#world;
    return new ForwardConnections(this.#server as unknown as Server, 'tcp', {
      admission: loadAdmission(config, () => ''),
      telemetry,
      clock: process,
      tls: null,
      logins: new LoginLimit({ clock: process, pace: { hold: () => Promise.resolve() } }),
      serverName: process.name,
      door: openDoor({ telemetry }),
      handshakeTimeoutMs: config['forward.handshake_timeout_ms'],
      session: {
        intake: this.#watched,
        telemetry,
        clock: process,
        ...forwardMemory(largeBudget(config)),
        pace: new RefusalPace({ heldMax: 2048, clock: process, unreadyReason: () => this.#intake.unreadyReason }),
        gate: new ReadingGate(Math.max(config['intake.max_bytes'], config['frame.max_bytes']), process),
        roomOf: (tenant) => this.#intake.roomOf(tenant, 'forward'),
        frameBytesMax: config['frame.max_bytes'],
        frameTimeoutMs: config['forward.frame_timeout_ms'],
        idleTimeoutMs: config['forward.idle_timeout_ms'],
      },
    });
  }

  connect(address: string, who: string, client: ClientEnd): Connection | null {
    if (this.#stopped) return null;
    const { oracle } = this.#world;
    const connection = new Connection(this.#world, this.process, address, client, who);
    const { socket } = connection;
    socket.wrote = (bytes) => {
      for (const [name] of bytes.toString('latin1').matchAll(/[a-z0-9]+\.\d+;/g))
        oracle.answered(this.process.name, name);
    };
    this.#open++;
    socket.on('close', () => this.#open--);
    this.#server.emit('connection', socket.asSocket);
    return connection;
  }

  /** What the HTTP input does with a body once it is read. */
  post(chunk: SimChunk, address: string, entries: Buffer, answered: (isHeld: boolean) => void): void {
    const { random, time, oracle } = this.#world;
    const answer = (isHeld: boolean): void => {
      if (!this.process.isAlive) return;
      if (isHeld) oracle.answered(this.process.name, chunk.name);
      time.after(random.between(0.2, 3), () => answered(isHeld));
    };
    this.process.later(0, () => {
      if (this.#stopped || this.#intake.unreadyReason !== null || !this.#intake.hasRoom) return answer(false);
      const accepted = this.#watched.accept({
        tag: chunk.tag,
        input: 'http',
        tenant: null,
        sender: address,
        chunkId: chunk.hasId ? Buffer.from(chunk.name) : null,
        encoding: 'identity',
        bytes: entries,
        entries,
        count: chunk.events.length,
      });
      accepted.then(
        () => answer(true),
        () => answer(false),
      );
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const sessions = this.#connections.close();
    await this.#intake.close();
    await sessions;
    await this.#queue[Symbol.asyncDispose]();
    await this.#kafka[Symbol.asyncDispose]();
  }

  /** What holds at any moment. */
  check(when: string): void {
    const { oracle, config } = this.#world;
    const imbalance = this.metrics.value('ledger_imbalance');
    if (imbalance !== 0) oracle.violate(`the ledger of ${this.process.name} is off by ${imbalance} ${when}`);
    // Each connection may bring one more chunk when the last of the room is taken.
    const bytesMax = config['intake.max_bytes'] + (this.#open + 1) * CHUNK_BYTES_MAX;
    const bytes = this.metrics.value('intake_bytes');
    if (bytes > bytesMax) oracle.violate(`${this.process.name} holds ${bytes} bytes ${when}`);
  }
}

/** More than any chunk of the simulation has, with its overhead, compressed and not. */
const CHUNK_BYTES_MAX = 64_000;

function watched(intake: QueueIntake, process: SimProcess, oracle: Oracle): SlicedIntake {
  return {
    async accept(chunk: Chunk): Promise<void> {
      const acceptance = oracle.accepting(process.name, chunk);
      await intake.accept(chunk);
      if (process.isAlive) oracle.accepted(acceptance);
    },
    // Nobody sends such here.
    acceptSlices: (chunk, feed) => intake.acceptSlices(chunk, feed),
    deadLetter: (undecodable: Undecodable) => intake.deadLetter(undecodable),
    get hasRoom() {
      return intake.hasRoom;
    },
    room: () => intake.room(),
    get unreadyReason() {
      return intake.unreadyReason;
    },
  };
}
