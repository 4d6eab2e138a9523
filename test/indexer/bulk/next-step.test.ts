// The table of next steps, a row each: what came back, what is known beside it, and the step. Then what no row may
// break, over all combinations.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Context, type OpenItems, type Result, type Step, nextStep } from '#indexer/bulk/next-step.ts';
import type { ProbeVerdict } from '#indexer/bulk/probe.ts';
import { type ErrorCode, SluiceError } from '#shared/errors.ts';

const answered: Result = { kind: 'answered' };
const failed = (code: ErrorCode): Result => ({ kind: 'failed', error: new SluiceError(code, 'Cannot write: no') });
const items = (verdict: OpenItems['verdict'], isIndexAccepting = false): Result => ({
  kind: 'items',
  verdict,
  reason: 'full',
  isIndexAccepting,
});
const away = failed('store_unavailable');
const tooLarge = failed('store_body_too_large');
const bodyRefused = failed('store_body_refused');
const unauthorized = failed('store_unauthorized');
const refused = items('refused');
const refusedBesideAccepted = items('refused', true);

const accepted: ProbeVerdict = { kind: 'accepted', reason: '' };
const indexRefuses: ProbeVerdict = { kind: 'index refuses', reason: 'no pipeline' };
const storeRefuses: ProbeVerdict = { kind: 'store refuses', reason: 'no parameter' };
const unknown: ProbeVerdict = { kind: 'unknown', reason: 'ECONNREFUSED' };

const one: Context = { items: 1, isSuspect: false, isStopped: false, probe: null };
const ten: Context = { ...one, items: 10 };
const suspect: Context = { ...one, isSuspect: true };
const suspects: Context = { ...ten, isSuspect: true };
const stopped: Context = { ...ten, isStopped: true };

/** The step in a word, and what it carries. */
function described(step: Step): string {
  switch (step.kind) {
    case 'settle':
    case 'probe':
      return step.kind;
    case 'retry':
      return step.asSuspect ? 'retry as suspect' : 'retry';
    case 'wait for index':
    case 'wait for store':
      return `${step.kind}: ${step.reason}`;
    case 'split':
      return step.isTooLarge ? 'split, smaller bodies from now on' : 'split';
    case 'reject':
      return step.refusal === null ? 'reject' : `reject: ${step.refusal.reason}, ${step.refusal.error}`;
  }
}

test('columns', () => {
  const check = (result: Result, context: Context, probe: ProbeVerdict | null, expected: string): void =>
    assert.equal(described(nextStep(result, { ...context, probe })), expected);
  // what came back, what is known beside it, what a probe met, and the step
  check(answered, ten, null, 'settle');
  check(answered, stopped, null, 'settle');

  check(away, ten, null, 'retry');
  check(failed('store_overloaded'), ten, null, 'retry');
  check(failed('store_timeout'), one, null, 'retry');
  check(failed('store_timeout'), suspect, null, 'retry');
  check(failed('store_index_unreadable'), ten, null, 'retry');
  check(failed('store_index_closed'), ten, null, 'retry');
  check(away, stopped, null, 'retry');

  check(unauthorized, ten, null, 'wait for store: Cannot write: no');
  check(unauthorized, suspect, null, 'wait for store: Cannot write: no');
  check(failed('store_refused'), ten, null, 'wait for store: Cannot write: no');
  check({ kind: 'failed', error: new TypeError('not ours') }, ten, null, 'wait for store: not ours');
  check(unauthorized, stopped, null, 'retry');

  check(tooLarge, ten, null, 'split, smaller bodies from now on');
  check(tooLarge, { ...ten, items: 2 }, null, 'split, smaller bodies from now on');
  check(tooLarge, one, null, 'reject: document_too_large, Cannot write: no');
  check(tooLarge, suspect, null, 'reject: document_too_large, Cannot write: no');

  check(bodyRefused, ten, null, 'probe');
  check(bodyRefused, one, null, 'probe');
  check(bodyRefused, suspect, null, 'probe');
  check(bodyRefused, ten, accepted, 'split');
  check(bodyRefused, suspects, accepted, 'split');
  check(bodyRefused, one, accepted, 'retry as suspect');
  check(bodyRefused, suspect, accepted, 'reject: document_refused, Cannot write: no');
  check(bodyRefused, ten, indexRefuses, 'wait for index: no pipeline');
  check(bodyRefused, suspect, indexRefuses, 'wait for index: no pipeline');
  check(bodyRefused, ten, storeRefuses, 'wait for store: no parameter');
  check(bodyRefused, suspect, storeRefuses, 'wait for store: no parameter');
  check(bodyRefused, ten, unknown, 'retry');
  check(bodyRefused, suspect, unknown, 'retry');
  check(bodyRefused, stopped, null, 'retry');

  check(items('retry'), ten, null, 'retry');
  check(items('blocked'), ten, null, 'wait for index: full');
  check(items('operator'), ten, null, 'wait for index: full');
  check(items('operator'), suspects, null, 'wait for index: full');

  check(refusedBesideAccepted, ten, null, 'reject');
  check(refusedBesideAccepted, suspects, null, 'reject');
  check(refused, ten, null, 'probe');
  check(refused, suspects, null, 'probe');
  check(refused, ten, accepted, 'retry as suspect');
  check(refused, one, accepted, 'retry as suspect');
  check(refused, suspects, accepted, 'reject');
  check(refused, ten, indexRefuses, 'wait for index: no pipeline');
  check(refused, suspects, indexRefuses, 'wait for index: no pipeline');
  check(refused, ten, storeRefuses, 'wait for store: no parameter');
  check(refused, ten, unknown, 'retry');
  check(refused, stopped, indexRefuses, 'retry');
  check(refused, stopped, storeRefuses, 'retry');
});

const anyResult = fc.constantFrom(
  answered,
  away,
  tooLarge,
  bodyRefused,
  unauthorized,
  refused,
  refusedBesideAccepted,
  ...(['retry', 'blocked', 'operator'] as const).map((verdict) => items(verdict)),
);
const anyContext: fc.Arbitrary<Context> = fc.record({
  items: fc.integer({ min: 1, max: 3 }),
  isSuspect: fc.boolean(),
  isStopped: fc.boolean(),
  probe: fc.constantFrom(null, accepted, indexRefuses, storeRefuses, unknown),
});

test('whatever comes back: a probe is asked once, one item is not split, nobody is blamed without proof', () => {
  fc.assert(
    fc.property(anyResult, anyContext, (result, context) => {
      const step = nextStep(result, context);
      assert(step.kind !== 'probe' || context.probe === null);
      assert(step.kind !== 'split' || context.items > 1);
      assert.equal(step.kind === 'settle', result === answered);
      if (step.kind !== 'reject') return;
      const isProven = context.isSuspect && context.probe?.kind === 'accepted';
      assert(isProven || result === refusedBesideAccepted || (result === tooLarge && context.items === 1));
    }),
    { numRuns: 2000 },
  );
});
