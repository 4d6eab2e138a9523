// The data folder is deleted, or replaced, under the running program, and a sender comes back without a pause, as
// Docker's driver does.

import assert from 'node:assert/strict';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { encode } from '@msgpack/msgpack';
import { freePort } from '#test/backends/free-port.ts';
import { newPlace, SluiceProcess } from '../parts/sluice-process.ts';

/** Sends numbered messages, each until it is acked, without a pause between tries. */
class Spinner implements AsyncDisposable {
  connections = 0;
  acked = 0;
  readonly #port: number;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;

  constructor(port: number) {
    this.#port = port;
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      this.connections++;
      const socket = connect({ port: this.#port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      const stop = (): void => void socket.destroy();
      this.#end.signal.addEventListener('abort', stop);
      const closed = new Promise<false>((resolve) => socket.once('close', () => resolve(false)));
      for (let isOpen = true; isOpen && !this.#end.signal.aborted;) {
        socket.write(encode(['app', 1, { log: String(this.acked) }, { chunk: `c${this.acked}` }]));
        const acked = new Promise<true>((resolve) => socket.once('data', () => resolve(true)));
        isOpen = await Promise.race([acked, closed]);
        if (isOpen) this.acked++;
      }
      socket.destroy();
      this.#end.signal.removeEventListener('abort', stop);
    }
  }
}

/** Puts a file in the place of the folder, which may be made anew in between. Returns where the folders lie now. */
function blockFolder(folder: string): string[] {
  const aside: string[] = [];
  for (;;) {
    aside.push(`${folder}.aside${aside.length}`);
    renameSync(folder, aside.at(-1) ?? '');
    try {
      writeFileSync(folder, '');
      return aside;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EISDIR')) throw error;
    }
  }
}

test('what was acked is there after a restart, though the folder was deleted; nobody spins while it cannot be made anew', async () => {
  await using place = await newPlace();
  const environment = { SLUICE_KAFKA_BROKERS: `127.0.0.1:${await freePort()}` };
  await using forwarder = await new SluiceProcess(['forwarder'], place, environment).ready();
  await using spinner = new Spinner(place.forward);
  await forwarder.until(async () => spinner.acked > 5);
  // In one step: what is made anew at once would be in the way of whoever deletes one file after another.
  const deleted = `${place.dataDir}.deleted`;
  await rename(place.dataDir, deleted);
  await rm(deleted, { recursive: true });
  const before = spinner.acked;
  await forwarder.until(async () => spinner.acked > before + 20);
  assert(existsSync(join(place.dataDir, 'spool/0/log.sqlite')));
  assert.match(forwarder.stderr, /was deleted while it was used/);

  // Now it cannot be made anew: a file has its name.
  const aside = blockFolder(place.dataDir);
  // The append that fails first may tell of something else.
  await forwarder.until(async () => /is gone, and cannot be made anew/.test((await forwarder.readiness()).reasons));
  const connections = spinner.connections;
  await delay(3000);
  assert(spinner.connections - connections <= 6, `${spinner.connections - connections} connections in 3 s`);
  await rm(place.dataDir);
  await forwarder.ready();
  const stalled = spinner.acked;
  await forwarder.until(async () => spinner.acked > stalled + 5);
  await spinner[Symbol.asyncDispose]();
  assert.equal((await forwarder.stop()).code, 0);
  for (const folder of aside) await rm(folder, { recursive: true });

  await using again = new SluiceProcess(['forwarder'], place, environment);
  await again.ready();
  const held = await again.metric('events_spooled');
  assert(held >= spinner.acked, `${spinner.acked} were acked, ${held} are there`);
  await again.stop();
});
