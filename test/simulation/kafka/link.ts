// The simulated wire between one client and the brokers: requests may be delayed, lost on the way, or done without an
// answer.

import type { Faults } from '../faults.ts';
import type { SimProcess } from '../machine/process.ts';
import type { Random } from '../machine/random.ts';
import type { SimTime } from '../machine/time.ts';
import type { Trace } from '../trace.ts';
import { Wire } from '../machine/wire.ts';
import type { Broker } from './broker.ts';
import { connectionError, requestTimeout } from './errors.ts';

export interface ClientWorld {
  readonly time: SimTime;
  readonly broker: Broker;
  readonly faults: Faults;
  readonly random: Random;
  readonly trace: Trace;
}

/** The wire between one client and the brokers. */
export class Link {
  readonly world: ClientWorld;
  readonly process: SimProcess;
  readonly requestTimeoutMs: number;
  readonly #there: Wire;
  readonly #back: Wire;

  constructor(world: ClientWorld, process: SimProcess, requestTimeoutMs: number) {
    this.world = world;
    this.process = process;
    this.requestTimeoutMs = requestTimeoutMs;
    this.#there = new Wire(world.time, (ms, action) => world.time.after(ms, action));
    this.#back = new Wire(world.time, (ms, action) => process.later(ms, action));
  }

  /** Has `work` done by the brokers. Never settles where the process has died. */
  request<T>(work: () => T | Promise<T>, delayMs = 0): Promise<T> {
    const { broker, random } = this.world;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (!this.process.isAlive) return promise;
    this.#there.send(random.between(0.5, 3) + delayMs, () => {
      const answer = (action: () => void): void => this.#back.send(random.between(0.5, 3), action);
      if (broker.isDown) return answer(() => reject(connectionError()));
      let done: T | Promise<T>;
      try {
        done = work();
      } catch (error) {
        return answer(() => reject(error));
      }
      if (!(done instanceof Promise)) return answer(() => resolve(done));
      // The wire is free meanwhile: such an answer comes when it comes.
      done.then(
        (value) => this.process.later(random.between(0.5, 3), () => resolve(value)),
        (error: unknown) => this.process.later(random.between(0.5, 3), () => reject(error)),
      );
    });
    return promise;
  }

  /** No answer comes. */
  async timeout(): Promise<never> {
    await this.process.sleep(this.requestTimeoutMs);
    throw requestTimeout();
  }
}
