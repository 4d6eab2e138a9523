// Knows everything: what was sent, acked, held, stored and committed. Checks the promises where they could break first,
// at each ack, each write and each commit, and what can be told only at the end, at the end. Never part of what is
// tested.

import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Chunk } from '#forwarder/intake/chunk.ts';
import { type SimChunk, type SimEvent, numbersIn } from './events.ts';
import type { Written } from './store.ts';
import type { Trace } from './trace.ts';

interface Copy extends Omit<Written, 'json'> {
  readonly numbers: readonly number[];
  readonly sequence: number;
  readonly isPartial: boolean;
}

/** A call of a forwarder's `accept`. */
interface Acceptance {
  readonly process: string;
  readonly source: string;
  readonly order: number;
  /** It has said that the chunk is held. */
  isHeld: boolean;
}

interface EventState {
  readonly event: SimEvent;
  isHeld: boolean;
  /** Without those that were deleted. */
  documents: Copy[];
  deadLetters: number;
  readonly acceptances: Acceptance[];
  /** An indexer has told that it is lost, with a record that the brokers had removed. */
  isToldLost: boolean;
}

export class Oracle {
  readonly violations: string[] = [];
  readonly chunks: SimChunk[] = [];
  readonly #trace: Trace;
  readonly #states: EventState[] = [];
  /** Events of each record of the logs topic, by partition and offset. */
  readonly #records: number[][][];
  #handovers: ReadonlyMap<number, readonly number[]> = new Map();
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
    this.#states.push({ event, isHeld: false, documents: [], deadLetters: 0, acceptances: [], isToldLost: false });
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
    this.#checkContent(numbers, String(source.message), document.isPartial, flags.includes('as_text'));
    for (const number of numbers) this.#checkOnce(number);
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

  /** An indexer tells that records are lost. */
  toldLost(partition: number, from: number, to: number): void {
    if (to > (this.#lows[partition] ?? 0))
      this.violate(`records ${from} to ${to} of partition ${partition} are told lost, and are there`);
    for (let at = from; at < to; at++) {
      for (const number of this.#records[partition]?.[at] ?? []) {
        const state = this.#states[number];
        if (state) state.isToldLost = true;
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
    this.#handovers = handovers;
    for (const { event, documents, deadLetters, acceptances, isToldLost } of this.#states) {
      const { number, chunk } = event;
      const isPromised = chunk.acked || acceptances.some(({ isHeld }) => isHeld);
      if (!isPromised) continue;
      if (documents.length === 0 && deadLetters === 0 && !isToldLost)
        this.violate(`event ${number} of ${chunk.name} was acked and is lost`);
      if (documents.length > 0 && deadLetters > 0)
        this.violate(`event ${number} is in the store and with the dead letters`);
      // Of a record that is gone nobody can look for second copies.
      if (!isToldLost) this.#checkCopies(number, documents);
    }
    this.#checkSequence();
    this.#checkPartitions();
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
      if (state.isToldLost) totals.told_lost++;
      if (documents.some(({ isPartial }) => isPartial)) totals.partial_lines++;
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

  #checkContent(numbers: readonly number[], message: string, isPartial: boolean, isText: boolean): void {
    const events = numbers.map((number) => this.#states[number]?.event);
    const [first] = events;
    if (!first) return;
    const expected = events.map((event) => event?.text ?? '').join('');
    if (isText ? !message.includes(expected) : message !== expected)
      this.violate(`the document of event ${listed(numbers)} is not what was sent: ${message.slice(0, 100)}`);
    if (isText && !expected.includes('poison-'))
      this.violate(`the document of event ${listed(numbers)} is kept as text, and nothing is wrong with it`);
    const { line } = first;
    if (line === null) {
      if (numbers.length > 1) this.violate(`events ${listed(numbers)} are one document`);
      return;
    }
    const ordinals = events.map((event) => (event ? line.parts.indexOf(event) : -1));
    if (ordinals.some((ordinal, i) => ordinal <= (ordinals[i - 1] ?? -1)))
      this.violate(`the parts ${listed(numbers)} of a line are out of order`);
    if (!isPartial && ordinals.length < line.parts.length)
      this.violate(`the line of events ${listed(numbers)} is not whole, and not marked`);
  }

  /**
   * Of a sender that repeats its ids, and of an event that was sent once, there is one name, and no name twice in an
   * index.
   */
  #checkOnce(number: number): void {
    const state = this.#states[number];
    if (!state) return;
    const { chunk } = state.event;
    const whole = state.documents.filter(({ isPartial }) => !isPartial);
    const isOnce = chunk.sends === 1 || (chunk.hasId && chunk.addresses.size === 1);
    const isSecond = new Set(whole.map(({ id }) => id)).size > 1;
    if (isOnce && (isSecond || new Set(whole.map(({ backing }) => backing)).size < whole.length))
      this.violate(`event ${number} of ${chunk.name} is in the store ${whole.length} times: ${idsOf(whole)}`);
  }

  /** At the end no name is in two backing indices, but for what docs/guarantees.md tells of. */
  #checkCopies(number: number, documents: readonly Copy[]): void {
    for (const copies of Map.groupBy(documents, ({ id }) => id).values()) {
      if (copies.length < 2) continue;
      // Only the late ones are excused: of those in time there is one.
      if (copies.filter((copy) => !this.#isTooLate(copy, number)).length < 2) this.#lateCopies++;
      else {
        const places = copies.map((copy) => `${copy.backing} at ${copy.writtenMs.toFixed(0)} by ${copy.sent.by.name}`);
        this.violate(`event ${number} is in the store in ${copies.length} indices: ${places.join(', ')}`);
      }
    }
  }

  /** Written more than `bulk.timeout_ms` after its sender died, gave it up, or lost the partition to another. */
  #isTooLate({ sent, writtenMs }: Copy, number: number): boolean {
    const partitions = this.#records.flatMap((offsets, p) => (offsets.flat().includes(number) ? [p] : []));
    const handovers = partitions.flatMap((partition) => this.#handovers.get(partition) ?? []);
    const lostMs = Math.min(...handovers.filter((ms) => ms > sent.atMs));
    return writtenMs > Math.min(sent.by.endedMs, sent.givenUpMs, lostMs) + this.#bulkTimeoutMs;
  }

  /** `event.sequence` has the order in which one forwarder accepted. */
  #checkSequence(): void {
    const last = new Map<string, { number: number; sequence: number }>();
    for (const { acceptance, numbers } of this.#acceptances) {
      for (const number of numbers) {
        const state = this.#states[number];
        const [document] = state?.documents ?? [];
        if (!state || state.acceptances.length > 1 || !document || document.numbers[0] !== number) continue;
        const before = last.get(acceptance.process);
        const { sequence } = document;
        if (before && sequence <= before.sequence) {
          this.violate(
            `event ${number} was accepted after ${before.number}, and its sequence is ${sequence} after ${before.sequence}`,
          );
        }
        last.set(acceptance.process, { number, sequence });
      }
    }
  }

  /** What one forwarder took from one source lies in the queue in that order. */
  #checkPartitions(): void {
    for (const appeared of this.#appeared) {
      const last = new Map<string, { number: number; order: number }>();
      for (const number of appeared) {
        const acceptances = this.#states[number]?.acceptances ?? [];
        const [acceptance] = acceptances;
        if (!acceptance || acceptances.length > 1 || !acceptance.isHeld) continue;
        const key = `${acceptance.process} ${acceptance.source}`;
        const before = last.get(key);
        if (before && before.order > acceptance.order)
          this.violate(`event ${number} lies behind ${before.number} in the queue, and was accepted before it`);
        last.set(key, { number, order: acceptance.order });
      }
    }
  }
}

interface DocumentSource {
  readonly message?: unknown;
  readonly log?: { readonly flags?: readonly string[] };
  readonly event?: { readonly sequence?: number };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

/** Numbers come in rows: "3–7 9". */
function listed(numbers: readonly number[]): string {
  const first = numbers[0];
  const last = numbers.at(-1);
  if (first === undefined || last === undefined) return 'nothing';
  return last - first === numbers.length - 1 && last > first ? `${first}–${last}` : numbers.join(' ');
}

function idsOf(documents: readonly Copy[]): string {
  return documents.map(({ id }) => id).join(' ');
}
