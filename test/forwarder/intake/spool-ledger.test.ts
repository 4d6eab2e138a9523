// The ledger of the edge with a spool: it closes at each step, whatever of a chunk is in the spool, in Kafka, or
// refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { QueueIntake } from '#forwarder/intake/intake.ts';
import { observeSpool } from '#forwarder/intake/spool-telemetry.ts';
import { ForwarderTelemetry } from '#forwarder/intake/telemetry.ts';
import { Metrics } from '#shared/metrics.ts';
import { SpooledQueue } from '#shared/queue/spooled/spooled-queue.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { atOnce, refusedWith, UnsteadyQueue } from '#test/shared/queue/spooled/unsteady-queue.ts';
import { chunkOf } from './intake-fixture.ts';

const AWAY = refusedWith('queue_unavailable');

class Edge {
  readonly clock = new VirtualClock();
  readonly upstream = new UnsteadyQueue(this.clock, 4);
  readonly local = new UnsteadyQueue(this.clock, 1);
  readonly lines: string[] = [];
  #metrics = new Metrics({ version: '0', command: 'test' });
  #queue: SpooledQueue | null = null;
  #intake: QueueIntake | null = null;

  /** Starts a process, in place of the one before. */
  async start(): Promise<QueueIntake> {
    await this.upstream.cutOff();
    await this.local.cutOff();
    this.#metrics = new Metrics({ version: '0', command: 'test' });
    const tell = (event: string): void => void this.lines.push(event);
    const log = { debug: tell, info: tell, warn: tell, error: tell };
    const telemetry = new ForwarderTelemetry(this.#metrics, log);
    const { clock } = this;
    const queue = new SpooledQueue({
      upstream: this.upstream.connect(),
      local: this.local.connect(),
      clock,
      random: () => 0.5,
      observer: observeSpool({
        telemetry,
        metrics: this.#metrics,
        log,
        clock,
        figures: () => ({ events: queue.events, bytes: 1, bytesMax: 2, oldestMs: queue.oldestMs, left: 0 }),
      }),
    });
    this.#queue = queue;
    await clock.until(queue.opened());
    this.#intake = new QueueIntake({
      queue,
      clock,
      telemetry,
      bytesMax: 1_000_000,
      lingerMs: 0,
      sealBytes: 2000,
      openWaitMs: 1000,
    });
    return this.#intake;
  }

  async drained(): Promise<void> {
    await this.clock.when(() => this.#queue?.isSpooling === false);
  }

  /** The figures of the ledger, which closes. */
  async figures(): Promise<Record<string, number>> {
    const figures: Record<string, number> = {};
    for (const line of (await this.#metrics.render()).body.split('\n')) {
      const [, name, value] = /^sluice_((?:events|ledger|spool)\w+)(?:\{[^}]*\})? (.*)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) figures[name] = (figures[name] ?? 0) + Number(value);
    }
    const { events_received_total: received = 0, events_produced_total: produced = 0 } = figures;
    const { events_rejected_total: rejected = 0, events_dropped_total: dropped = 0 } = figures;
    assert.equal(figures['ledger_imbalance'], 0);
    assert.equal(received, produced + rejected + dropped + (figures['events_inflight'] ?? 0));
    return { received, produced, rejected, dropped, spooled: figures['events_spooled'] ?? NaN };
  }
}

/** Ten events of 400 bytes that do not shrink: two records of 2000 bytes and some. */
function chunk(): Chunk {
  return chunkOf(Array.from({ length: 10 }, () => Array.from({ length: 400 }, () => randomLetter()).join('')));
}

function randomLetter(): string {
  return String.fromCharCode(33 + Math.floor(Math.random() * 90));
}

test('events in the spool are in flight, and produced when Kafka has them', async () => {
  const edge = new Edge();
  const intake = await edge.start();
  await edge.clock.until(intake.accept(chunk()));
  assert.deepEqual(await edge.figures(), { received: 10, produced: 10, rejected: 0, dropped: 0, spooled: 0 });
  edge.upstream.fate = () => AWAY;
  await edge.clock.until(intake.accept(chunk()));
  await edge.clock.until(intake.accept(chunk()));
  assert.deepEqual(await edge.figures(), { received: 30, produced: 10, rejected: 0, dropped: 0, spooled: 20 });
  edge.upstream.fate = () => atOnce;
  await edge.drained();
  assert.deepEqual(await edge.figures(), { received: 30, produced: 30, rejected: 0, dropped: 0, spooled: 0 });
  assert.deepEqual(
    edge.lines.filter((line) => line !== 'spool_waits'),
    ['spool_entered', 'spool_left'],
  );
});

test('of a chunk that is refused, what the spool holds goes on', async () => {
  const edge = new Edge();
  const intake = await edge.start();
  edge.upstream.fate = () => AWAY;
  // A record an append.
  edge.upstream.appendBytesMax = 2500;
  let appends = 0;
  edge.local.fate = () => (appends++ === 0 ? atOnce : refusedWith('queue_full'));
  await assert.rejects(edge.clock.until(intake.accept(chunk())), { code: 'queue_full' });
  const { rejected = 0, spooled = 0 } = await edge.figures();
  assert.ok(spooled > 0 && rejected === 10 - spooled, `${spooled} in the spool, ${rejected} rejected`);
  edge.upstream.fate = () => atOnce;
  await edge.drained();
  assert.deepEqual(await edge.figures(), { received: 10, produced: spooled, rejected, dropped: 0, spooled: 0 });
});

test('what an earlier process has left is received from the spool', async () => {
  const edge = new Edge();
  const intake = await edge.start();
  edge.upstream.fate = () => AWAY;
  await edge.clock.until(intake.accept(chunk()));
  await edge.start();
  await edge.clock.when(() => edge.lines.includes('spool_found'));
  assert.deepEqual(await edge.figures(), { received: 10, produced: 0, rejected: 0, dropped: 0, spooled: 10 });
  edge.upstream.fate = (records) => (records.length > 0 ? refusedWith('queue_refused') : atOnce);
  await edge.drained();
  assert.deepEqual(await edge.figures(), { received: 10, produced: 0, rejected: 10, dropped: 0, spooled: 0 });
  assert.equal(edge.upstream.memory.letters.length, 10);
});
