// Who waits, by sender, and who is next: against a plain model, whatever comes, goes and leaves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SenderQueues } from '#forwarder/accept/turns/sender-queues.ts';

interface Waiting {
  readonly sender: string;
  readonly item: number;
  /** Number of the last turn of its sender, as far as it is known. */
  since: number;
}

/** One list of all, of which the next is looked for from the beginning each time. */
class Model {
  readonly #rememberedMax: number;
  readonly waiting: Waiting[] = [];
  /** Who had a turn, and its number; the last is last. */
  #turns: (readonly [string, number])[] = [];
  #turn = 0;

  constructor(rememberedMax: number) {
    this.#rememberedMax = rememberedMax;
  }

  push(sender: string, item: number): void {
    const last = this.#turns.find(([name]) => name === sender);
    this.waiting.push({ sender, item, since: last?.[1] ?? this.#turn });
  }

  shift(): number | undefined {
    const firsts = this.waiting.filter(({ sender }, i) => this.waiting.findIndex((one) => one.sender === sender) === i);
    // A stable sort: of equals whoever came first.
    const [next] = firsts.toSorted((a, b) => a.since - b.since);
    if (!next) return undefined;
    this.leave(next.item);
    this.hadTurn(next.sender);
    return next.item;
  }

  hadTurn(sender: string): void {
    this.#turn += 1;
    const others = this.#turns.filter(([name]) => name !== sender);
    this.#turns = [...others, [sender, this.#turn] as const].slice(-this.#rememberedMax || Infinity);
    for (const one of this.waiting) if (one.sender === sender) one.since = this.#turn;
  }

  leave(item: number): void {
    const at = this.waiting.findIndex((one) => one.item === item);
    if (at >= 0) this.waiting.splice(at, 1);
  }
}

const sender = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('push' as const), sender }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('shift' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('had_turn' as const), sender }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('leave' as const), item: fc.nat(80) }) },
);

for (const rememberedMax of [0, 2, 100]) {
  test(`the next is who a list of all would have (${rememberedMax} senders remembered)`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queues = new SenderQueues<number>(rememberedMax);
        const model = new Model(rememberedMax);
        const places: ReturnType<typeof queues.push>[] = [];
        for (const one of steps) {
          if (one.kind === 'push') {
            model.push(one.sender, places.length);
            places.push(queues.push(one.sender, places.length));
          } else if (one.kind === 'shift') {
            assert.equal(queues.shift(), model.shift());
          } else if (one.kind === 'had_turn') {
            queues.hadTurn(one.sender);
            model.hadTurn(one.sender);
          } else {
            // It may be gone already.
            const place = places[one.item];
            if (place) queues.delete(place);
            model.leave(one.item);
          }
          assert.equal(queues.length, model.waiting.length);
        }
        while (model.waiting.length > 0) assert.equal(queues.shift(), model.shift());
        assert.equal(queues.shift(), undefined);
      }),
      { numRuns: 500 },
    );
  });
}

/** Somebody who is first of its sender: since when, and who went before it. */
class Head {
  readonly beganAt: number;
  readonly passedBy = new Set<string>();

  constructor(beganAt: number) {
    this.beganAt = beganAt;
  }
}

test('the first of a sender is passed by no other sender twice, nor by one that came later', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const queues = new SenderQueues<string>();
      const heads = new Map<string, Head>();
      const lengths = new Map<string, number>();
      for (const [moment, one] of steps.entries()) {
        if (one.kind === 'push') {
          queues.push(one.sender, one.sender);
          lengths.set(one.sender, (lengths.get(one.sender) ?? 0) + 1);
          if (!heads.has(one.sender)) heads.set(one.sender, new Head(moment));
        } else if (one.kind === 'shift') {
          const next = queues.shift();
          if (next === undefined) continue;
          const cameAt = heads.get(next)?.beganAt ?? 0;
          heads.delete(next);
          for (const { beganAt, passedBy } of heads.values()) {
            assert(!passedBy.has(next) && cameAt <= beganAt, `${next} at ${moment}`);
            passedBy.add(next);
          }
          const left = (lengths.get(next) ?? 0) - 1;
          lengths.set(next, left);
          if (left > 0) heads.set(next, new Head(moment));
        }
      }
    }),
  );
});

test('thousands who leave at once cost no more than themselves, and are not kept', () => {
  const queues = new SenderQueues<number>();
  const places = Array.from({ length: 200_000 }, (_, i) => queues.push('a', i));
  // From the middle on, so that none is the first.
  for (const place of [...places.slice(100_000), ...places.slice(1, 100_000)].toReversed()) queues.delete(place);
  assert.equal(queues.length, 1);
  assert.equal(queues.shift(), 0);
  assert.equal(queues.shift(), undefined);
});
