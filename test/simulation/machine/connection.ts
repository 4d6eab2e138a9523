// A TCP connection between a sender and a forwarder. Bytes arrive in order, in pieces of any size, or not at all;
// either side may end it, and it may be cut at any moment. At the forwarder's end is a stand-in for net.Socket with
// just what the sessions use of it.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Faults } from '../faults.ts';
import type { SimProcess } from './process.ts';
import type { Random } from './random.ts';
import type { SimTime } from './time.ts';
import { Wire } from './wire.ts';

export interface ConnectionWorld {
  readonly time: SimTime;
  readonly random: Random;
  readonly faults: Faults;
}

export interface ClientEnd {
  received(bytes: Buffer): void;
  /** No more comes, and nothing more arrives. */
  closed(): void;
}

export class Connection {
  readonly socket: SimSocket;
  readonly #world: ConnectionWorld;
  readonly #process: SimProcess;
  readonly #client: ClientEnd;
  readonly #who: string;
  readonly #toServer: Wire;
  readonly #toClient: Wire;
  /** Nothing goes to the forwarder any more. */
  #isBreaking = false;
  #isCut = false;
  #isClosed = false;

  constructor(world: ConnectionWorld, process: SimProcess, address: string, client: ClientEnd, who: string) {
    const { time } = world;
    this.#world = world;
    this.#process = process;
    this.#client = client;
    this.#who = who;
    this.#toServer = new Wire(time, (ms, action) => process.later(ms, action));
    this.#toClient = new Wire(time, (ms, action) => time.after(ms, action));
    this.socket = new SimSocket(address, {
      write: (bytes) => this.#answer(bytes),
      end: () => this.#toClient.send(this.#latencyMs, () => this.#close()),
      destroy: () => this.#destroyed(),
    });
    void process.ended.then(() => this.cut());
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** The client writes. */
  send(bytes: Buffer): void {
    const { random, faults } = this.#world;
    if (this.#isCut || this.#isBreaking) return;
    let rest = bytes;
    if (faults.strikes('partial_write', this.#who)) {
      for (let pieces = random.integer(1, 3); pieces > 0 && rest.length > 1; pieces--) {
        const length = random.integer(1, rest.length - 1);
        this.#toSession(rest.subarray(0, length));
        rest = rest.subarray(length);
      }
    }
    if (faults.strikes('connection_cut', this.#who)) {
      this.#toSession(rest.subarray(0, random.integer(0, rest.length)));
      this.#isBreaking = true;
      this.#world.time.after(random.between(0, 20), () => this.cut());
      return;
    }
    this.#toSession(rest);
  }

  /** The client sends no more, and still reads. */
  end(): void {
    if (!this.#isBreaking) this.#toServer.send(this.#latencyMs, () => !this.#isCut && this.socket.ended());
  }

  /** What is on its way is lost; both sides see it some time later. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#process.later(this.#world.random.between(0, 50), () => this.socket.broken());
    this.#world.time.after(this.#world.random.between(0, 50), () => this.#close());
  }

  #toSession(bytes: Buffer): void {
    if (bytes.length > 0) this.#toServer.send(this.#latencyMs, () => !this.#isCut && this.socket.arrived(bytes));
  }

  #answer(bytes: Buffer): void {
    if (this.#world.faults.strikes('ack_lost', this.#who)) {
      this.cut();
      return;
    }
    // What was written before is still read by the client after the server's end has closed.
    this.#toClient.send(this.#latencyMs, () => !this.#isClosed && this.#client.received(bytes));
  }

  #destroyed(): void {
    this.#isCut = true;
    this.#toClient.send(this.#latencyMs, () => this.#close());
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isCut = true;
    this.#process.later(0, () => this.socket.broken());
    this.#client.closed();
  }

  get #latencyMs(): number {
    const { random, faults } = this.#world;
    return faults.strikes('connection_delayed', this.#who) ? random.between(20, 3000) : random.between(0.1, 2);
  }
}

interface Outside {
  readonly write: (bytes: Buffer) => void;
  readonly end: () => void;
  readonly destroy: () => void;
}

export class SimSocket extends EventEmitter {
  readonly remoteAddress: string;
  readonly writableLength = 0;
  bytesRead = 0;
  bytesWritten = 0;
  destroyed = false;
  writableEnded = false;
  /** Called with what the session writes, at once. */
  wrote: (bytes: Buffer) => void = () => undefined;
  readonly #outside: Outside;
  #isPaused = false;
  #isClosed = false;
  #arrived: Buffer[] = [];
  #hasEnded = false;
  #isEndTold = false;

  constructor(remoteAddress: string, outside: Outside) {
    super();
    this.remoteAddress = remoteAddress;
    this.#outside = outside;
  }

  /** As the code under test wants it. */
  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  get writable(): boolean {
    return !this.destroyed && !this.writableEnded;
  }

  write(bytes: Uint8Array): boolean {
    if (!this.writable) return false;
    const written = Buffer.from(bytes);
    this.bytesWritten += written.length;
    this.wrote(written);
    this.#outside.write(written);
    return true;
  }

  end(): this {
    if (this.writableEnded || this.destroyed) return this;
    this.writableEnded = true;
    this.#outside.end();
    if (this.#hasEnded) this.broken();
    return this;
  }

  /** What was written still goes out. */
  destroySoon(): void {
    this.destroy();
  }

  destroy(): this {
    if (this.destroyed) return this;
    this.#outside.destroy();
    this.broken();
    return this;
  }

  pause(): this {
    this.#isPaused = true;
    return this;
  }

  resume(): this {
    this.#isPaused = false;
    process.nextTick(() => this.#hand());
    return this;
  }

  arrived(bytes: Buffer): void {
    if (this.destroyed) return;
    this.#arrived.push(bytes);
    this.#hand();
  }

  /** The other side sends no more. */
  ended(): void {
    if (this.destroyed) return;
    this.#hasEnded = true;
    this.#hand();
  }

  /** There is no connection any more. */
  broken(): void {
    this.destroyed = true;
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#arrived = [];
    process.nextTick(() => this.emit('close'));
  }

  #hand(): void {
    while (!this.#isPaused && !this.destroyed) {
      const piece = this.#arrived.shift();
      if (piece === undefined) break;
      this.bytesRead += piece.length;
      this.emit('data', piece);
    }
    if (this.#arrived.length > 0 || !this.#hasEnded || this.#isEndTold || this.destroyed) return;
    // Also of a paused socket.
    this.#isEndTold = true;
    this.emit('end');
    if (this.writableEnded) this.broken();
  }
}
