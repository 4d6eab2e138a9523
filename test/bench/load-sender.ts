// A sender of Forward frames for the benchmark, as a process of its own. It makes its frames beforehand and only writes another chunk id into
// them, so that it costs little while it sends. Steered by process messages:
//
//   argv: a LoadPlan as JSON → {ready} · {send: events per second, or null for as fast as acks come} · {mark} → {marked}: forgets latencies
//   {stop} → LoadReport, once all that was sent is acked, or has left (without acks); then the process ends
//
// Acks are checked: each is that of the oldest frame of its connection, byte for byte. At a given rate, a latency counts from the time
// when the frame was due, so that a stall is seen whole.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { CHUNK_ID_BYTES, chunkFrame, messageFrames, type Mode } from './container-logs.ts';

export interface LoadPlan {
  readonly port: number;
  readonly mode: Mode;
  readonly acks: boolean;
  readonly connections: number;
  /** Frames of a connection that are not acked yet. */
  readonly window: number;
  readonly eventsPerFrame: number;
}

export interface LoadReport {
  readonly sent: number;
  readonly acked: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Frame {
  readonly bytes: Buffer;
  dueMs: number;
}

const PACE_MS = 1;
const ACK_BYTES = 6 + CHUNK_ID_BYTES;

let sent = 0;
let acked = 0;
let nextChunk = 0;
let latenciesMs: number[] = [];
/** Nothing is sent while this is set. */
let stopped = true;
/** When frames are due that no connection could take so far; only at a given rate. */
const dueMs: number[] = [];
let isPaced = false;

/** A connection that waits for acks. Its frames go round: an acked one is free to be sent again, as another chunk. */
class AckedConnection {
  readonly #socket: Socket;
  readonly #plan: LoadPlan;
  readonly #free: Frame[];
  readonly #flying: Frame[] = [];
  #rest = Buffer.alloc(0);

  constructor(socket: Socket, plan: LoadPlan, number: number) {
    this.#socket = socket;
    this.#plan = plan;
    this.#free = Array.from({ length: plan.window }, (_, i) => {
      const first = (number * plan.window + i) * plan.eventsPerFrame;
      return { bytes: chunkFrame(plan.mode, `bench.container-${number}`, first, plan.eventsPerFrame), dueMs: 0 };
    });
    socket.on('data', (piece) => this.#take(piece));
  }

  get isIdle(): boolean {
    return this.#flying.length === 0;
  }

  /** Sends as much as the window allows; at a given rate, only what is due. */
  fill(): void {
    while (!stopped && this.#free.length > 0) {
      const due = isPaced ? dueMs.shift() : performance.now();
      if (due === undefined) return;
      this.#send(due);
    }
  }

  #send(due: number): void {
    const frame = this.#free.pop();
    assert(frame);
    frame.dueMs = due;
    frame.bytes.write((nextChunk++).toString(16).padStart(CHUNK_ID_BYTES, '0'), frame.bytes.length - CHUNK_ID_BYTES);
    this.#flying.push(frame);
    sent += this.#plan.eventsPerFrame;
    this.#socket.write(frame.bytes);
  }

  #take(piece: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece;
    let at = 0;
    for (; at + ACK_BYTES <= bytes.length; at += ACK_BYTES) {
      const frame = this.#flying.shift();
      assert(frame, 'an ack for nothing');
      const isOldest = bytes.compare(
        frame.bytes,
        frame.bytes.length - CHUNK_ID_BYTES,
        frame.bytes.length,
        at + 6,
        at + ACK_BYTES,
      );
      assert(isOldest === 0, 'acks come in order');
      latenciesMs.push(performance.now() - frame.dueMs);
      acked += this.#plan.eventsPerFrame;
      this.#free.push(frame);
    }
    this.#rest = bytes.subarray(at);
    this.fill();
  }
}

/** A connection that wants no acks: as much as the socket takes. */
class PlainConnection {
  readonly #socket: Socket;
  readonly #plan: LoadPlan;
  readonly #bytes: Buffer;

  constructor(socket: Socket, plan: LoadPlan, number: number) {
    this.#socket = socket;
    this.#plan = plan;
    this.#bytes = messageFrames(`bench.container-${number}`, number * plan.eventsPerFrame, plan.eventsPerFrame);
    socket.on('drain', () => this.fill());
  }

  get isIdle(): boolean {
    return this.#socket.writableLength === 0;
  }

  fill(): void {
    while (!stopped && !this.#socket.writableNeedDrain) {
      sent += this.#plan.eventsPerFrame;
      this.#socket.write(this.#bytes);
    }
  }
}

function pace(connections: readonly AckedConnection[], framesPerSecond: number): void {
  isPaced = true;
  let nextMs = performance.now();
  let turn = 0;
  const timer = setInterval(() => {
    if (stopped) return clearInterval(timer);
    for (const now = performance.now(); nextMs <= now; nextMs += 1000 / framesPerSecond) dueMs.push(nextMs);
    for (let tried = 0; tried < connections.length && dueMs.length > 0; tried++)
      connections[turn++ % connections.length]?.fill();
  }, PACE_MS);
}

async function main(plan: LoadPlan): Promise<void> {
  const sockets: Socket[] = [];
  for (let number = 0; number < plan.connections; number++) {
    const socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    // Only what is still under way would be missed, and `stop` waits for that.
    socket.on('close', () => assert(isDone, 'the connection was closed'));
    sockets.push(socket);
  }
  let isDone = false;
  const connections = sockets.map((socket, number) =>
    plan.acks ? new AckedConnection(socket, plan, number) : new PlainConnection(socket, plan, number),
  );
  const orders = {
    send(eventsPerSecond: number | null): void {
      stopped = false;
      const acking = connections.filter((connection) => connection instanceof AckedConnection);
      if (eventsPerSecond !== null) pace(acking, eventsPerSecond / plan.eventsPerFrame);
      else for (const connection of connections) connection.fill();
    },
    mark(): void {
      latenciesMs = [];
      process.send?.({ marked: true });
    },
    async stop(): Promise<void> {
      stopped = true;
      const latencies = latenciesMs.toSorted((a, b) => a - b);
      const quantile = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? 0;
      while (!connections.every((connection) => connection.isIdle))
        await new Promise((resolve) => setTimeout(resolve, 5));
      isDone = true;
      for (const socket of sockets) socket.end();
      process.send?.({ sent, acked, p50Ms: quantile(0.5), p99Ms: quantile(0.99) } satisfies LoadReport);
      process.disconnect?.();
    },
  };
  process.on('message', (order: { send?: number | null; mark?: true; stop?: true }) => {
    if (order.send !== undefined) orders.send(order.send);
    else if (order.mark) orders.mark();
    else if (order.stop) void orders.stop();
  });
  process.on('disconnect', () => process.exit());
  process.send?.({ ready: true });
}

await main(JSON.parse(process.argv[2] ?? ''));
