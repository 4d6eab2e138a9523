// The siege's own parts: what a verdict says, how inputs are made and changed, and how metrics are read.

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { bodyOf, encodingsOf, mutated, seeded, seedsOf } from './genome.ts';
import { bodyBytesMax, shapes } from './shapes.ts';
import { readingOf, turnsAbove } from './target.ts';
import { type Facts, tableOf, type TargetFacts, verdictOf } from './verdict.ts';

const MIB = 1024 * 1024;

suite('verdict', () => {
  const target: TargetFacts = {
    name: 'run',
    limitedBy: 'control group v2',
    turns: 10_000,
    turnsLong: 10,
    turnsTooLong: 0,
    longestTurnSeconds: 0.05,
    peakRssBytes: 400 * MIB,
    livezMissed: 0,
    livezP99Ms: 5,
    ledgerImbalance: 0,
    fell: null,
  };
  const clean: Facts = {
    bars: {
      turnShareMax: 0.001,
      turnSeconds: 0.02,
      turnSecondsMax: 0.1,
      rssBytesMax: 400 * MIB,
      rateShareMin: 0.75,
    },
    targets: [target],
    disk: [
      { folder: 'run/queue', bytes: 10, bytesMax: 10 },
      { folder: 'run/store', bytes: 99, bytesMax: null },
    ],
    calmRate: 1000,
    siegeRate: 750,
    counts: { sent: 10, acked: 10, found: 10, lost: 0, duplicated: 0, deadLettered: 0, strangers: 0 },
    intruders: 0,
    intrusions: 5,
    shots: 5,
    tried: 5,
    attackBytes: 5,
    peersOpened: 5,
    peersAtOnce: 5,
    heldSeconds: 0,
    faultsFound: [],
  };
  const check = (title: string, more: Partial<Facts>, expected: string): void => {
    test(title, () => {
      const facts = { ...clean, ...more };
      const { verdict, reasons } = verdictOf(facts);
      assert.equal(verdict, expected);
      assert.equal(reasons.length, expected === 'clean' ? 0 : 1, reasons.join('; '));
      assert.ok(tableOf(facts).length > 10);
    });
  };
  const of = (more: Partial<TargetFacts>): Partial<Facts> => ({ targets: [{ ...target, ...more }] });
  check('all is at its bar', {}, 'clean');
  check('a process that ended', of({ fell: 'with 1' }), 'broken');
  check('one turn too long', of({ turnsTooLong: 1 }), 'broken');
  check('a share of long turns', of({ turnsLong: 11 }), 'broken');
  check('memory', of({ peakRssBytes: 400 * MIB + 1 }), 'broken');
  check('no answer of /livez', of({ livezMissed: 1 }), 'broken');
  check('a ledger', of({ ledgerImbalance: 1 }), 'broken');
  check('disk', { disk: [{ folder: 'run/queue', bytes: 11, bytesMax: 10 }] }, 'broken');
  check('one lost', { counts: { ...clean.counts, lost: 1 } }, 'broken');
  check('one doubled', { counts: { ...clean.counts, duplicated: 1 } }, 'broken');
  check('one let in', { intruders: 1 }, 'broken');
  check('the rate', { siegeRate: 749 }, 'broken');
  check('the rate where it is only told', { siegeRate: 1, bars: { ...clean.bars, rateShareMin: null } }, 'clean');
  check('what never came to rest', { faultsFound: ['it did not'] }, 'broken');
  check('nobody attacked', { shots: 0 }, 'inconclusive');
  check('nobody intruded', { intrusions: 0 }, 'inconclusive');
  check('no turns were told', of({ turns: 0, turnsLong: 0 }), 'inconclusive');
});

suite('generator', () => {
  test('the same seed makes the same inputs, and all of them are within their bounds', () => {
    for (const shape of shapes) {
      const [random, again] = [seeded(7), seeded(7)];
      let [one, other] = [seedsOf(shape)[0], seedsOf(shape)[0]];
      for (let i = 0; i < 200 && one && other; i++) {
        one = mutated(one, random);
        other = mutated(other, again);
        assert.deepEqual(
          { ...one, shape: null, piece: one.piece.toString('hex') },
          { ...other, shape: null, piece: other.piece.toString('hex') },
        );
        assert.ok(one.piece.length > 0 && one.repeat >= 1, shape.name);
        assert.ok(encodingsOf(shape).includes(one.encoding), shape.name);
      }
      const body = bodyOf({ ...(one ?? assert.fail()), repeat: 10, depth: 300 });
      assert.ok(body.length < bodyBytesMax, shape.name);
    }
  });

  test('pieces are repeated, nested, and without a comma at their end', () => {
    const shape = shapes.find(({ name }) => name === 'json object') ?? assert.fail();
    const genome = { shape, piece: Buffer.from('0,'), repeat: 3, nest: 0, depth: 2, encoding: 'identity' as const };
    assert.equal(bodyOf(genome).toString(), '{"a":[[[0,0,0]]]}');
    assert.equal(bodyOf({ ...genome, depth: 0 }).toString(), '{"a":[0,0,0]}');
  });
});

test('metrics: samples are summed, turns are told by their bounds', () => {
  const text = (short: number, long: number): string => `# HELP x
sluice_events_inflight{stage="edge"} 2
sluice_events_inflight{stage="indexer"} 3
sluice_turn_seconds_bucket{le="0.02"} ${short}
sluice_turn_seconds_bucket{le="0.1"} ${short + long}
sluice_turn_seconds_bucket{le="+Inf"} ${short + long}
process_cpu_seconds_total 7
`;
  const [from, to] = [readingOf(text(10, 1)), readingOf(text(50, 3))];
  assert.deepEqual([...to.sums], [['events_inflight', 5]]);
  assert.deepEqual(turnsAbove(0.02, from.turns, to.turns), { above: 2, all: 42 });
  assert.deepEqual(turnsAbove(0.1, from.turns, to.turns), { above: 0, all: 42 });
});
