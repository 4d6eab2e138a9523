// Those who send: clients of the Forward protocol and of HTTP, as the real ones behave. Who asks for acks keeps what
// was not acked and sends it again under the same id, over a new connection, to the same forwarder or another.

import type { Due } from './content.ts';
import { type ForwardMode, entriesOf, frameOf } from './events.ts';
import type { Connection, ConnectionWorld } from './machine/connection.ts';
import type { Forwarder } from './forwarder.ts';
import type { Oracle } from './oracle/oracle.ts';
import type { Random } from './machine/random.ts';
import type { Trace } from './trace.ts';

export interface SenderWorld extends ConnectionWorld {
  readonly oracle: Oracle;
  readonly trace: Trace;
  readonly forwarders: readonly Forwarder[];
}

export interface Sender {
  readonly name: string;
  readonly isDone: boolean;
  start(): void;
}

interface ForwardOptions {
  readonly name: string;
  readonly mode: ForwardMode;
  /** Chunks without an ack on the wire at once; for who asks for acks. */
  readonly window: number;
  /** Comes from another address with each connection. */
  readonly wanders: boolean;
}

export class ForwardSender implements Sender {
  readonly name: string;
  readonly #world: SenderWorld;
  readonly #random: Random;
  readonly #options: ForwardOptions;
  readonly #dues: readonly Due[];
  /** Chunks before this one are acked or, without acks, sent. */
  #done = 0;
  /** Chunks before this one were sent over this connection. */
  #next = 0;
  #connection: Connection | null = null;
  #connections = 0;
  #heard = '';
  #patience: Disposable | null = null;
  #isWaiting = false;

  constructor(world: SenderWorld, random: Random, options: ForwardOptions, dues: readonly Due[]) {
    this.name = options.name;
    this.#world = world;
    this.#random = random;
    this.#options = options;
    this.#dues = dues;
  }

  get isDone(): boolean {
    return this.#done === this.#dues.length;
  }

  start(): void {
    this.#connect(this.#dues[0]?.atMs ?? 0);
  }

  #connect(delayMs: number): void {
    this.#world.time.after(delayMs, () => {
      const address = this.#options.wanders ? `10.1.${this.#connections}.1` : `10.0.0.${this.name}`;
      this.#connections++;
      const forwarder = this.#random.pick(this.#world.forwarders as [Forwarder, ...Forwarder[]]);
      const connection = forwarder.connect(address, this.name, {
        received: (bytes) => this.#connection === connection && this.#received(bytes),
        closed: () => this.#connection === connection && this.#lost(),
      });
      if (connection === null) return this.#connect(this.#random.between(100, 1500));
      this.#connection = connection;
      this.#heard = '';
      this.#next = this.#done;
      this.#pump();
    });
  }

  #pump(): void {
    const { time, trace } = this.#world;
    const { window, mode, wanders } = this.#options;
    for (;;) {
      const due = this.#dues[this.#next];
      const connection = this.#connection;
      if (!due || !connection) break;
      const { chunk, atMs } = due;
      if (chunk.hasId && this.#next - this.#done >= window) break;
      if (atMs > time.nowMs) {
        this.#wait(atMs - time.nowMs);
        break;
      }
      chunk.sends++;
      chunk.addresses.add(wanders ? String(this.#connections) : '');
      trace.note(this.name, `send ${chunk.name}${chunk.sends > 1 ? ` again (${chunk.sends})` : ''}`);
      this.#next++;
      if (!chunk.hasId) this.#done = this.#next;
      connection.send(frameOf(chunk, mode));
    }
    this.#startPatience();
    if (this.isDone && this.#connection) {
      this.#connection.end();
      this.#connection = null;
      this.#patience?.[Symbol.dispose]();
    }
  }

  #wait(ms: number): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#world.time.after(ms, () => {
      this.#isWaiting = false;
      this.#pump();
    });
  }

  /** An ack that does not come is not waited for for ever. */
  #startPatience(): void {
    if (this.#patience || this.#done === this.#next) return;
    this.#patience = this.#world.time.after(this.#random.between(4000, 15_000), () => {
      this.#patience = null;
      this.#world.trace.note(this.name, 'no ack: connects again');
      this.#connection?.cut();
    });
  }

  #received(bytes: Buffer): void {
    this.#heard += bytes.toString('latin1');
    for (;;) {
      const end = this.#heard.indexOf(';') + 1;
      if (end === 0) break;
      const name = /[^\s.]+\.\d+;$/.exec(this.#heard.slice(0, end))?.[0] ?? '';
      this.#heard = this.#heard.slice(end);
      this.#acked(name);
    }
    this.#pump();
  }

  #acked(text: string): void {
    const due = this.#dues.slice(this.#done, this.#next).find(({ chunk }) => text.endsWith(chunk.name));
    if (!due) return;
    this.#world.oracle.acked(due.chunk);
    // Acks come in the order of the chunks.
    while (this.#dues[this.#done]?.chunk.acked) this.#done++;
    this.#patience?.[Symbol.dispose]();
    this.#patience = null;
  }

  #lost(): void {
    this.#connection = null;
    this.#patience?.[Symbol.dispose]();
    this.#patience = null;
    if (!this.isDone) this.#connect(this.#random.between(50, 1500));
  }
}

/** A client of the HTTP input, one request at a time; with an `Idempotency-Key`, or without. */
export class HttpSender implements Sender {
  readonly name: string;
  readonly #world: SenderWorld;
  readonly #random: Random;
  readonly #dues: readonly Due[];
  #done = 0;

  constructor(world: SenderWorld, random: Random, name: string, dues: readonly Due[]) {
    this.name = name;
    this.#world = world;
    this.#random = random;
    this.#dues = dues;
  }

  get isDone(): boolean {
    return this.#done === this.#dues.length;
  }

  start(): void {
    this.#post();
  }

  #post(): void {
    const due = this.#dues[this.#done];
    if (!due) return;
    const { time, trace, oracle, faults, forwarders } = this.#world;
    const { chunk, atMs } = due;
    if (atMs > time.nowMs) {
      time.after(atMs - time.nowMs, () => this.#post());
      return;
    }
    chunk.sends++;
    chunk.addresses.add('');
    trace.note(this.name, `post ${chunk.name}${chunk.sends > 1 ? ` again (${chunk.sends})` : ''}`);
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      limit[Symbol.dispose]();
      time.after(this.#random.between(200, 2000), () => this.#post());
    };
    const limit = time.after(this.#random.between(6000, 15_000), again);
    const forwarder = this.#random.pick(forwarders as [Forwarder, ...Forwarder[]]);
    time.after(this.#random.between(0.2, 3), () => {
      forwarder.post(chunk, `10.0.0.${this.name}`, entriesOf(chunk), (isHeld) => {
        if (isOver || faults.strikes('answer_lost', this.name) || !isHeld) return again();
        isOver = true;
        limit[Symbol.dispose]();
        oracle.acked(chunk);
        this.#done++;
        this.#post();
      });
    });
  }
}
