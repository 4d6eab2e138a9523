// Knows everything: what was sent, acked, held, stored and committed. Checks the promises where they could break first,
// at each ack, each write and each commit; the rest at the end. Never part of what is tested.

import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { type SimChunk, type SimEvent, numbersIn } from '../events.ts';
import type { Written } from '../store/elasticsearch.ts';
import type { Trace } from '../trace.ts';
import { DocumentChecks } from './document-checks.ts';
import { checkEnd } from './end-checks.ts';
import { type Acceptance, type Copy, type EventState, latin1, listed } from './states.ts';

export class Oracle {
  readonly violations: string[] = [];
  readonly chunks: SimChunk[] = [];
  readonly #trace: Trace;
  readonly #states: EventState[] = [];
  readonly #documents = new DocumentChecks(this.#states, (what) => this.violate(what));
  /** Events of each record of the logs topic, by partition and offset. */
  readonly #records: number[][][];
  readonly #committed: number[];
  /** What lies before was removed by the brokers. */
  readonly #lows: number[];
  readonly #acceptances: { acceptance: Acceptance; numbers: readonly number[] }[] = [];
  /** First appearances in each partition, in order. */
  readonly #appeared: number[][];
  readonly #seen = new Set<number>();
  /** Of dead letters in parts, the bytes that are there from their beginning on. */
  readonly #parts = new Map<string, Buffer>();
  #deadLettersInParts = 0;
  #spooled = 0;
  readonly #bulkTimeoutMs: number;
  #secondCopies = 0;
  #lateCopies = 0;

  constructor(trace: Trace, partitions: number, bulkTimeoutMs: number) {
    this.#trace = trace;
    this.#bulkTimeoutMs = bulkTimeoutMs;
    this.#records = Array.from({ length: partitions }, () => []);
    this.#appeared = Array.from({ length: partitions }, () => []);
    this.#committed = Array.from({ length: partitions }, () => 0);
    this.#lows = Array.from({ length: partitions }, () => 0);
  }

  get nextNumber(): number {
    return this.#states.length;
  }

  violate(what: string): void {
    this.violations.push(what);
    this.#trace.note('ORACLE', `VIOLATION: ${what}`);
  }

  /** Events are numbered in the order of these calls. */
  add(event: SimEvent): void {
    this.#states.push({
      event,
      isHeld: false,
      documents: [],
      deadLetters: 0,
      acceptances: [],
      isRepeated: false,
      isReportedLost: false,
    });
  }

  accepting(process: string, { entries, sender, tag }: Chunk): Acceptance {
    const numbers = numbersIn(latin1(entries));
    const order = this.#acceptances.length;
    const acceptance: Acceptance = { process, source: `${sender} ${tag}`, order, isHeld: false };
    this.#acceptances.push({ acceptance, numbers });
    for (const number of numbers) this.#states[number]?.acceptances.push(acceptance);
    this.#trace.note(process, `accept ${listed(numbers)} of ${sender}`);
    return acceptance;
  }

  accepted(acceptance: Acceptance): void {
    acceptance.isHeld = true;
    const numbers = this.#acceptances[acceptance.order]?.numbers ?? [];
    this.#trace.note(acceptance.process, `held ${listed(numbers)}`);
    for (const number of numbers) {
      if (!this.#states[number]?.isHeld) this.violate(`intake says that event ${number} is held, and it is not`);
    }
  }

  /** An answer that says "held" leaves a forwarder. */
  answered(process: string, name: string): void {
    this.#trace.note(process, `ack ${name}`);
    const chunk = this.chunks.find((other) => other.name === name);
    if (!chunk) return this.violate(`an ack for ${name}, which nobody sent`);
    for (const { number } of chunk.events) {
      if (!this.#states[number]?.isHeld) this.violate(`${name} is acked before event ${number} is held`);
    }
  }

  /** Its sender has heard that it is held. */
  acked(chunk: SimChunk): void {
    chunk.acked = true;
  }

  /** The brokers have a record. */
  held(encoding: string, value: Uint8Array, place: { partition: number; offset: number }): void {
    const numbers = this.#hold(encoding, value);
    this.#trace.note('kafka', `${place.partition}/${place.offset}: ${listed(numbers)}`);
    const records = this.#records[place.partition];
    if (records) records[place.offset] = numbers;
    for (const number of numbers) {
      const state = this.#states[number];
      if (this.#seen.has(number) && state) state.isRepeated = true;
      if (this.#seen.has(number)) continue;
      this.#seen.add(number);
      this.#appeared[place.partition]?.push(number);
    }
  }

  /** A record is in the spool of a machine, and synced. */
  spooled(machine: string, encoding: string, value: Uint8Array): void {
    const numbers = this.#hold(encoding, value);
    this.#spooled += numbers.length;
    this.#trace.note(machine, `spooled ${listed(numbers)}`);
  }

  /** A dead letter is there when all of its parts are, and never cut. */
  deadLetterAppended(headers: Readonly<Record<string, Buffer>>, value: Uint8Array): void {
    const reason = String(headers['reason']);
    const { parts_id: id } = headers;
    if (headers['parts_cut'] !== undefined || (id === undefined && headers['cut'] !== undefined))
      this.violate(`a dead letter is cut: ${reason}`);
    if (id === undefined) return this.#deadLettered(value, reason);
    const key = id.toString('hex');
    const known = this.#parts.get(key) ?? Buffer.alloc(0);
    const at = Number(headers['part_at']);
    this.#trace.note('kafka', `part of a dead letter, ${at} to ${at + value.length}`);
    if (at > known.length) return;
    const joined = Buffer.concat([known.subarray(0, at), value, known.subarray(at + value.length)]);
    this.#parts.set(key, joined);
    if (joined.length === Number(headers['parts_bytes']) && known.length < joined.length) {
      this.#deadLettersInParts++;
      this.#deadLettered(joined, reason);
    }
  }

  #deadLettered(value: Uint8Array, reason: string): void {
    const numbers = numbersIn(latin1(value));
    this.#trace.note('kafka', `dead letter ${listed(numbers)}: ${reason}`);
    for (const number of numbers) {
      this.#holdEvent(number);
      const state = this.#states[number];
      if (!state) continue;
      state.deadLetters++;
      if (!state.event.isHuge && !state.event.isPoison)
        this.violate(`event ${number} is with the dead letters (${reason}), and nothing is wrong with it`);
    }
  }

  stored({ json, ...written }: Written): void {
    const source: DocumentSource = JSON.parse(json);
    const numbers = numbersIn(json);
    const flags = source.log?.flags ?? [];
    const isPartial = flags.includes('partial');
    const document: Copy = { ...written, numbers, sequence: source.event?.sequence ?? 0, isPartial };
    this.#trace.note('store', `document ${listed(numbers)} ${flags.join(' ')} in ${document.backing}`);
    if (numbers.length === 0) return this.violate(`a document that nobody sent: ${json.slice(0, 200)}`);
    for (const number of numbers) {
      const state = this.#states[number];
      if (!state || state.event.chunk.sends === 0) {
        this.violate(`event ${number} is in the store, and was never sent`);
        continue;
      }
      state.documents.push(document);
    }
    this.#documents.checkContent(numbers, String(source.message), document.isPartial, flags.includes('as_text'));
    for (const number of numbers) this.#documents.checkOnce(number);
  }

  /** A second copy was deleted: another one must be there, in an older index. */
  removed(id: string, backing: string): void {
    this.#secondCopies++;
    // Not the id: where no sender gave one it is random, and a seed gives one trace.
    const numbers: number[] = [];
    for (const state of this.#states) {
      if (!state.documents.some((copy) => copy.id === id && copy.backing === backing)) continue;
      state.documents = state.documents.filter((copy) => copy.id !== id || copy.backing !== backing);
      if (!state.documents.some((copy) => copy.id === id))
        this.violate(`the only copy of event ${state.event.number} is deleted in ${backing}`);
      numbers.push(state.event.number);
    }
    this.#trace.note('store', `deleted ${listed(numbers)} in ${backing}`);
  }

  /** The brokers have removed what lies before an offset. */
  recordsRemoved(partition: number, before: number): void {
    this.#trace.note('kafka', `removed ${partition}/0 to ${before}`);
    this.#lows[partition] = before;
  }

  /** An indexer reports that records are lost. */
  reportedLost(partition: number, from: number, to: number): void {
    if (to > (this.#lows[partition] ?? 0))
      this.violate(`records ${from} to ${to} of partition ${partition} are reported lost, and are there`);
    for (let at = from; at < to; at++) {
      for (const number of this.#records[partition]?.[at] ?? []) {
        const state = this.#states[number];
        if (state) state.isReportedLost = true;
      }
    }
  }

  /** The brokers are about to take an offset. */
  committing(partition: number, offset: number, memberId: string, owner: string | undefined): void {
    this.#trace.note('kafka', `commit ${partition}/${offset} by ${memberId}`);
    if (owner !== memberId) {
      this.violate(`member ${memberId} commits partition ${partition}, which ${owner ?? 'nobody'} holds`);
    }
    const before = this.#committed[partition] ?? 0;
    if (offset < before) this.violate(`the offset of partition ${partition} goes back from ${before} to ${offset}`);
    for (let at = Math.max(before, this.#lows[partition] ?? 0); at < offset; at++) {
      for (const number of this.#records[partition]?.[at] ?? []) {
        if (!this.#isSettled(number))
          this.violate(`offset ${offset} of partition ${partition} is committed before event ${number} is settled`);
      }
    }
    this.#committed[partition] = offset;
  }

  /** When everything has drained; `handovers`: when partitions went from one member to another. */
  checkEnd(handovers: ReadonlyMap<number, readonly number[]>): void {
    this.#lateCopies = checkEnd({
      states: this.#states,
      records: this.#records,
      acceptances: this.#acceptances,
      appeared: this.#appeared,
      bulkTimeoutMs: this.#bulkTimeoutMs,
      handovers,
      violate: (what) => this.violate(what),
    });
  }

  /** For the table at the end. */
  totals(): Record<string, number> {
    const totals = {
      sent: 0,
      acked: 0,
      spooled: this.#spooled,
      stored: 0,
      dead_lettered: 0,
      resent: 0,
      partial_lines: 0,
      lines_of_traces: 0,
      joined_lines_of_traces: 0,
      second_copies_deleted: this.#secondCopies,
      doubled_by_late_writes: this.#lateCopies,
      told_lost: 0,
      letters_in_parts: this.#deadLettersInParts,
    };
    for (const state of this.#states) {
      const { event, documents, deadLetters } = state;
      if (event.chunk.sends > 0) totals.sent++;
      if (event.chunk.sends > 1) totals.resent++;
      if (event.chunk.acked) totals.acked++;
      if (documents.length > 0) totals.stored++;
      if (deadLetters > 0) totals.dead_lettered++;
      if (state.isReportedLost) totals.told_lost++;
      if (event.trace === null && documents.some(({ isPartial }) => isPartial)) totals.partial_lines++;
      if (event.trace === null || documents.length === 0) continue;
      totals.lines_of_traces++;
      if (documents.some(({ numbers }) => numbers.length > 1)) totals.joined_lines_of_traces++;
    }
    return totals;
  }

  #hold(encoding: string, value: Uint8Array): number[] {
    const unpack = encoding === 'zstd' ? zstdDecompressSync : encoding === 'gzip' ? gunzipSync : null;
    const numbers = numbersIn(latin1(unpack ? unpack(value) : value));
    for (const number of numbers) this.#holdEvent(number);
    return numbers;
  }

  #holdEvent(number: number): void {
    const state = this.#states[number];
    if (state) state.isHeld = true;
    else this.violate(`event ${number} is in the queue, and was never sent`);
  }

  #isSettled(number: number): boolean {
    const state = this.#states[number];
    return state !== undefined && (state.documents.length > 0 || state.deadLetters > 0);
  }
}

interface DocumentSource {
  readonly message?: unknown;
  readonly log?: { readonly flags?: readonly string[] };
  readonly event?: { readonly sequence?: number };
}
