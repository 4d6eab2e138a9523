// The coordinator of a consumer group, as a Kafka broker has one (classic protocol). As permissive as the real one: a
// commit is taken for any partition, from whoever is a member under the present generation; whether it holds the
// partition, nobody asks.
//
//   stable ─► preparing (members are to join again) ─► completing (the leader gives out the partitions) ─► stable

import assert from 'node:assert/strict';
import type { Random } from '../machine/random.ts';
import type { SimTime } from '../machine/time.ts';
import type { Trace } from '../trace.ts';
import { protocolError } from './errors.ts';

export interface Joined {
  readonly memberId: string;
  readonly generation: number;
  readonly isLeader: boolean;
  readonly memberIds: readonly string[];
}

interface Member {
  readonly id: string;
  readonly sessionTimeoutMs: number;
  seenMs: number;
  joining: PromiseWithResolvers<Joined> | null;
  syncing: PromiseWithResolvers<readonly number[]> | null;
}

/** How long an empty group waits for others after its first member. */
const INITIAL_DELAY_MS = 50;

export class Group {
  readonly committed = new Map<number, number>();
  readonly metadata = new Map<number, string>();
  /** By partition, when another member than before was given it. */
  readonly handovers = new Map<number, number[]>();
  readonly #time: SimTime;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #members = new Map<string, Member>();
  #state: 'empty' | 'preparing' | 'completing' | 'stable' = 'empty';
  #generation = 0;
  #leaderId = '';
  #owners = new Map<number, string>();
  readonly #lastOwners = new Map<number, string>();
  #joinTimer: Disposable | null = null;
  #nextMember = 0;

  constructor(time: SimTime, random: Random, trace: Trace) {
    this.#time = time;
    this.#random = random;
    this.#trace = trace;
  }

  /** Who was given the partition last, if it is still a member. */
  ownerOf(partition: number): string | undefined {
    return this.#owners.get(partition);
  }

  get generation(): number {
    return this.#generation;
  }

  join(memberId: string, sessionTimeoutMs: number, rebalanceTimeoutMs: number): Promise<Joined> {
    let member = this.#members.get(memberId);
    if (memberId !== '' && !member) return Promise.reject(protocolError('UNKNOWN_MEMBER_ID'));
    if (!member) {
      // The order of the names decides who gets what.
      const id = `${this.#random.integer(100, 999)}-${this.#nextMember++}`;
      member = { id, sessionTimeoutMs, seenMs: 0, joining: null, syncing: null };
      this.#members.set(id, member);
      this.#watch(member);
    }
    member.seenMs = this.#time.nowMs;
    member.joining ??= Promise.withResolvers();
    const { promise } = member.joining;
    if (this.#state === 'empty') {
      this.#state = 'preparing';
      this.#joinTimer = this.#time.after(INITIAL_DELAY_MS, () => this.#complete());
    } else {
      this.prepare(rebalanceTimeoutMs);
      this.#completeIfAllJoined();
    }
    return promise;
  }

  /** Asks all members to join again. Who does not in time is no member any more. */
  prepare(rebalanceTimeoutMs = 60_000): void {
    if (this.#state === 'preparing' || this.#state === 'empty') return;
    this.#trace.note('group', 'rebalance');
    for (const member of this.#members.values()) {
      member.syncing?.reject(protocolError('REBALANCE_IN_PROGRESS'));
      member.syncing = null;
    }
    this.#state = 'preparing';
    this.#joinTimer = this.#time.after(rebalanceTimeoutMs, () => this.#complete());
  }

  sync(memberId: string, generation: number, given: ReadonlyMap<number, string>): Promise<readonly number[]> {
    const error = this.#check(memberId, generation);
    if (error !== null) return Promise.reject(error);
    if (this.#state === 'preparing') return Promise.reject(protocolError('REBALANCE_IN_PROGRESS'));
    const member = this.#members.get(memberId);
    assert(member);
    member.seenMs = this.#time.nowMs;
    member.syncing ??= Promise.withResolvers();
    const { promise } = member.syncing;
    if (memberId === this.#leaderId && this.#state === 'completing') {
      this.#owners = new Map(given);
      for (const [partition, owner] of given) this.#handOver(partition, owner);
      this.#state = 'stable';
      this.#trace.note('group', `generation ${generation}: ${[...given].map(([p, id]) => `${p}→${id}`).join(' ')}`);
    }
    if (this.#state === 'stable') this.#answerSyncs();
    return promise;
  }

  #handOver(partition: number, owner: string): void {
    const before = this.#lastOwners.get(partition);
    this.#lastOwners.set(partition, owner);
    if (before === undefined || before === owner) return;
    const times = this.handovers.get(partition) ?? [];
    this.handovers.set(partition, [...times, this.#time.nowMs]);
  }

  heartbeat(memberId: string, generation: number): void {
    const error = this.#check(memberId, generation);
    if (error !== null) throw error;
    const member = this.#members.get(memberId);
    if (member) member.seenMs = this.#time.nowMs;
    if (this.#state === 'preparing') throw protocolError('REBALANCE_IN_PROGRESS');
  }

  /** `accepted` is called with each partition whose offset is taken. */
  commit(
    memberId: string,
    generation: number,
    offsets: ReadonlyMap<number, number>,
    accepted: (partition: number, offset: number) => void,
  ): void {
    const error = this.#check(memberId, generation);
    if (error !== null) throw error;
    if (this.#state === 'completing') throw protocolError('REBALANCE_IN_PROGRESS');
    for (const [partition, offset] of offsets) {
      accepted(partition, offset);
      this.committed.set(partition, offset);
    }
  }

  leave(memberId: string): void {
    const member = this.#members.get(memberId);
    if (member) this.#remove(member, 'left');
  }

  #check(memberId: string, generation: number): Error | null {
    if (!this.#members.has(memberId)) return protocolError('UNKNOWN_MEMBER_ID');
    return generation === this.#generation ? null : protocolError('ILLEGAL_GENERATION');
  }

  /** Members that are not heard of for too long are taken for dead. */
  #watch(member: Member): void {
    const dueMs = member.seenMs + member.sessionTimeoutMs - this.#time.nowMs;
    this.#time.after(Math.max(dueMs, 100), () => {
      if (this.#members.get(member.id) !== member) return;
      const isSilent = this.#time.nowMs - member.seenMs >= member.sessionTimeoutMs;
      // Who waits for an answer of ours cannot send heartbeats.
      if (isSilent && member.joining === null && member.syncing === null) this.#remove(member, 'expired');
      else this.#watch(member);
    });
  }

  #remove(member: Member, why: string): void {
    this.#trace.note('group', `member ${member.id} ${why}`);
    this.#members.delete(member.id);
    for (const [partition, id] of this.#owners) if (id === member.id) this.#owners.delete(partition);
    member.joining?.reject(protocolError('UNKNOWN_MEMBER_ID'));
    member.syncing?.reject(protocolError('UNKNOWN_MEMBER_ID'));
    this.prepare();
    this.#completeIfAllJoined();
  }

  #completeIfAllJoined(): void {
    if (this.#state !== 'preparing') return;
    for (const member of this.#members.values()) if (member.joining === null) return;
    this.#complete();
  }

  #complete(): void {
    this.#joinTimer?.[Symbol.dispose]();
    this.#joinTimer = null;
    for (const member of this.#members.values()) {
      if (member.joining !== null) continue;
      this.#trace.note('group', `member ${member.id} did not join again`);
      this.#members.delete(member.id);
    }
    this.#generation++;
    const memberIds = [...this.#members.keys()];
    this.#leaderId = memberIds[0] ?? '';
    this.#state = memberIds.length === 0 ? 'empty' : 'completing';
    if (memberIds.length === 0) this.#owners.clear();
    for (const member of this.#members.values()) {
      member.seenMs = this.#time.nowMs;
      const isLeader = member.id === this.#leaderId;
      member.joining?.resolve({ memberId: member.id, generation: this.#generation, isLeader, memberIds });
      member.joining = null;
    }
  }

  #answerSyncs(): void {
    for (const member of this.#members.values()) {
      const mine = [...this.#owners].filter(([, id]) => id === member.id).map(([partition]) => partition);
      member.syncing?.resolve(mine);
      member.syncing = null;
    }
  }
}
