// All orders in which a queue, its spool, their answers, full disks and kills can meet, drawn by a seed: sources append
// one record after another, each until it is acked. Nothing acked may be in neither queue, nothing acked may be missing
// at the end, and a source's records must appear for the first time in their order.
//
//   SLUICE_TEST_SEEDS=1000   more of them; SLUICE_TEST_SEED=17: only that one

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '#shared/errors.ts';
import { SpooledQueue } from '#shared/queue/spooled/spooled-queue.ts';
import { seeded } from '#test/indexer/world.ts';
import { VirtualClock } from '#test/memory/clock.ts';
import { RecordingObserver } from './recording-observer.ts';
import { firstAppearances, numbersIn, recordOf } from './records.ts';
import { type Fate, refusedWith, UnsteadyQueue } from './unsteady-queue.ts';

const PARTITIONS = 4;
const RECORDS = 25;
const seedsToRun = Number(process.env['SLUICE_TEST_SEEDS'] ?? 60);
const onlySeed = process.env['SLUICE_TEST_SEED'];
const seeds = onlySeed === undefined ? Array.from({ length: seedsToRun }, (_, seed) => seed) : [Number(onlySeed)];

test(`${seeds.length} seeds of faults and kills`, async () => {
  const seen: Seen = { spooled: 0, direct: 0, refused: 0, kills: 0, repeats: 0 };
  for (const seed of seeds) {
    try {
      await new World(seed, seen).run();
    } catch (error) {
      throw new Error(`seed ${seed} (SLUICE_TEST_SEED=${seed} runs it again)`, { cause: error });
    }
  }
  if (onlySeed !== undefined) return;
  for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `the seeds have seen some ${what}`);
});

interface Seen {
  spooled: number;
  direct: number;
  refused: number;
  kills: number;
  repeats: number;
}

class World {
  readonly #seen: Seen;
  readonly #random: () => number;
  readonly #clock = new VirtualClock();
  readonly #upstream = new UnsteadyQueue(this.#clock, PARTITIONS);
  readonly #local = new UnsteadyQueue(this.#clock, 1);
  #observer = new RecordingObserver();
  #queue: SpooledQueue;
  /** Aborted by a kill: whoever waits for an answer hears none. */
  #life = new AbortController();
  #isCalm = false;

  constructor(seed: number, seen: Seen) {
    this.#seen = seen;
    this.#random = seeded(seed);
    this.#upstream.fate = (_records, partition) => this.#fateOfUpstream(partition);
    this.#local.diesWithUser = true;
    this.#local.fate = () => this.#fateOfLocal();
    this.#queue = this.#open();
  }

  async run(): Promise<void> {
    const sources = Array.from({ length: PARTITIONS }, (_, partition) => this.#source(partition));
    const kills = this.#killNowAndThen();
    await this.#over(Promise.all(sources));
    this.#isCalm = true;
    await this.#over(kills);
    await this.#clock.when(() => !this.#queue.isSpooling);
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const numbers = numbersIn(this.#upstream.memory, partition, `source ${partition}`);
      assert.deepEqual(
        firstAppearances(numbers),
        Array.from({ length: RECORDS }, (_, n) => n),
      );
      this.#seen.repeats += numbers.length - RECORDS;
    }
    this.#checkLedger();
    assert.equal(this.#observer.held, 0);
  }

  async #over(work: Promise<unknown>): Promise<void> {
    let isOver = false;
    void work.finally(() => (isOver = true));
    await this.#clock.when(() => isOver, 24 * 3_600_000);
    await work;
  }

  #open(): SpooledQueue {
    this.#observer = new RecordingObserver();
    return new SpooledQueue({
      upstream: this.#upstream.connect(),
      local: this.#local.connect(),
      clock: this.#clock,
      random: () => this.#random(),
      observer: this.#observer,
      // In many runs a partition takes in hand only some of what lies before it.
      readAheadBytesMax: this.#random() < 0.7 ? 4 * (20 + this.#random() * 200) : 1_000_000,
    });
  }

  async #source(partition: number): Promise<void> {
    const source = `source ${partition}`;
    for (let n = 0; n < RECORDS; n++) {
      const record = recordOf(source, n);
      while (!(await this.#isAcked(partition, record))) await this.#clock.sleep(1 + this.#random() * 2000);
      this.#checkHeld(partition, source, n);
      if (this.#random() < 0.5) await this.#clock.sleep(this.#random() * 3000);
    }
  }

  async #isAcked(partition: number, record: ReturnType<typeof recordOf>): Promise<boolean> {
    const { signal } = this.#life;
    const killed = new Promise<'killed'>((resolve) => signal.addEventListener('abort', () => resolve('killed')));
    try {
      const held = await Promise.race([this.#queue.append(partition, [record]), killed]);
      if (held === 'killed') return false;
      this.#seen[held === 'spool' ? 'spooled' : 'direct']++;
      return true;
    } catch (error) {
      assert.ok(error instanceof SluiceError);
      this.#seen.refused++;
      return false;
    }
  }

  /** In the queue, or in the spool where it is not consumed yet. */
  #checkHeld(partition: number, source: string, n: number): void {
    const isDelivered = numbersIn(this.#upstream.memory, partition, source).includes(n);
    const { memory } = this.#local;
    const isSpooled = numbersIn(memory, 0, source, memory.committed.get(0) ?? 0).includes(n);
    assert.ok(isDelivered || isSpooled, `${source} has heard that ${n} is held, and it is nowhere`);
    this.#checkLedger();
  }

  #checkLedger(): void {
    assert.equal(this.#observer.held, this.#queue.events, 'what was told makes up what is in the spool');
  }

  async #killNowAndThen(): Promise<void> {
    const kills = Math.floor(this.#random() * 4);
    for (let i = 0; i < kills && !this.#isCalm; i++) {
      await this.#clock.sleep(this.#random() * 40_000);
      await this.#upstream.cutOff();
      await this.#local.cutOff();
      this.#life.abort();
      this.#life = new AbortController();
      this.#queue = this.#open();
      this.#seen.kills++;
    }
  }

  // Up, slow and away by turns of some seconds, each partition with its own luck; one is stuck for minutes.
  #fateOfUpstream(partition: number): Fate {
    if (this.#isCalm) return { doneMs: 1, answerMs: 1, error: null };
    if (partition === 0 && Math.sin(this.#clock.monotonicMs() / 60_000) > 0) return refusedWith('queue_unavailable', 5);
    const isAway = Math.sin(this.#clock.monotonicMs() / 9000) > 0.3;
    const draw = this.#random();
    const ms = 1 + this.#random() * (this.#random() < 0.3 ? 12_000 : 20);
    if (isAway && draw < 0.9) return refusedWith('queue_unavailable', this.#random() < 0.5 ? 1 : 8000);
    if (draw < 0.05) return { doneMs: ms / 2, answerMs: ms, error: refusedWith('queue_unavailable').error };
    // Done long after its user was told that it failed.
    if (draw < 0.1)
      return { doneMs: ms + 20_000 * this.#random(), answerMs: ms, error: refusedWith('queue_unavailable').error };
    return { doneMs: ms * this.#random(), answerMs: ms, error: null };
  }

  #fateOfLocal(): Fate {
    if (this.#isCalm) return { doneMs: 1, answerMs: 1, error: null };
    const draw = this.#random();
    if (draw < 0.1) return refusedWith(draw < 0.05 ? 'queue_full' : 'queue_unavailable', 1 + this.#random() * 50);
    const ms = 1 + this.#random() * 30;
    return { doneMs: ms, answerMs: ms, error: null };
  }
}
