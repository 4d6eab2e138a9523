// What a run has shown. Pure. It is clean, broken (something was lost or doubled, or a ledger did not close), or
// inconclusive: then too little went wrong to say anything, and the verdict tells what is missing.

import type { Counts, TornCounts } from './books.ts';
import type { LossCounts } from './reported-losses.ts';
import { type Kind, kindNames } from './schedule.ts';

export interface Struck {
  readonly kind: Kind;
  /** Events on their way, without an ack, when it struck. */
  readonly unacked: number;
}

/** What must have happened for a run to count. */
export interface Bar {
  readonly faultsOfEachKind: number;
  /** Of the faults, how many must have found unacked events: from 0 to 1. */
  readonly shareInFlight: number;
}

export interface Facts {
  readonly seed: number;
  readonly seconds: number;
  readonly bar: Bar;
  readonly counts: Counts;
  /** Of the real client, which gives new ids when it sends again. */
  readonly client: Counts;
  /** Ends of chunks that broke off. */
  readonly torn: TornCounts;
  /** Of the topic that loses what it holds. */
  readonly doomed: LossCounts;
  readonly struck: readonly Struck[];
  /** Documents by which indexers found out whose fault a 400 was, left by those that were killed meanwhile. */
  readonly probes: number;
  readonly resentChunks: number;
  readonly deduplicated: number;
  readonly rebalances: number;
  /** Starts and ends of indexers, and pauses that the group takes for an end. */
  readonly membershipChanges: number;
  /** Processes of Sluice that ended by themselves, as forwarders do that start with a full disk. */
  readonly falls: number;
  /**
   * What is wrong beside the counts: a ledger that did not close, a process that did not end well, something that never
   * came to rest.
   */
  readonly faultsFound: readonly string[];
}

export interface Verdict {
  readonly verdict: 'clean' | 'broken' | 'inconclusive';
  /** Why it is not clean. */
  readonly reasons: readonly string[];
}

export function verdictOf(facts: Facts): Verdict {
  const broken = brokenPromises(facts);
  if (broken.length > 0) return { verdict: 'broken', reasons: broken };
  const missing = missingFor(facts);
  return missing.length > 0 ? { verdict: 'inconclusive', reasons: missing } : { verdict: 'clean', reasons: [] };
}

function brokenPromises({ counts, client, torn, doomed, faultsFound }: Facts): string[] {
  const broken = [...faultsFound];
  if (counts.lost > 0) broken.push(`${counts.lost} acked events are lost`);
  if (counts.duplicated > 0) broken.push(`${counts.duplicated} events are there more than once`);
  if (counts.strangers > 0) broken.push(`${counts.strangers} documents are of events that nobody sent`);
  if (client.lost > 0) broken.push(`${client.lost} events that the real client was acked are lost`);
  if (doomed.unreported > 0)
    broken.push(`${doomed.unreported} events of the doomed topic are lost, and nobody reported`);
  if (doomed.falselyReported > 0)
    broken.push(`${doomed.falselyReported} events of the doomed topic are reported lost, and are not`);
  if (doomed.duplicated > 0) broken.push(`${doomed.duplicated} events of the doomed topic are there more than once`);
  if (doomed.recordsReported !== doomed.recordsCounted) {
    broken.push(
      `${doomed.recordsReported} records are reported lost in the log, ${doomed.recordsCounted} by the counter`,
    );
  }
  const missingEnds = torn.acked - torn.deadLettered;
  if (missingEnds > 0) broken.push(`${missingEnds} torn ends of acked chunks are not with the dead letters`);
  return broken;
}

function missingFor({ bar, struck, counts, doomed, resentChunks, deduplicated, rebalances }: Facts): string[] {
  const missing: string[] = [];
  for (const [kind, times] of Object.entries(byKind(struck))) {
    if (times < bar.faultsOfEachKind) missing.push(`"${kind}" came ${times} times of ${bar.faultsOfEachKind}`);
  }
  const found = struck.filter(({ unacked }) => unacked > 0).length;
  if (found < struck.length * bar.shareInFlight) {
    missing.push(`${found} of ${struck.length} faults found unacked events: too few`);
  }
  if (doomed.lost === 0) missing.push('no event was lost that had to be reported');
  if (counts.acked === 0) missing.push('nothing was acked');
  if (resentChunks === 0) missing.push('no chunk was sent again');
  if (deduplicated === 0) missing.push('no event was deduplicated');
  if (rebalances === 0) missing.push('there was no rebalance');
  return missing;
}

function byKind(struck: readonly Struck[]): Record<Kind, number> {
  const counts = Object.fromEntries(kindNames.map((kind) => [kind, 0])) as Record<Kind, number>;
  for (const { kind } of struck) counts[kind]++;
  return counts;
}

/** The table, a line each. */
export function tableOf(facts: Facts): string[] {
  const { counts, client, doomed, struck, seconds, bar } = facts;
  const inFlight = struck.filter(({ unacked }) => unacked > 0).length;
  const rows: readonly (readonly [string, string | number])[] = [
    ['seed', facts.seed],
    ['duration', `${Math.round(seconds)} s`],
    ['sent', counts.sent],
    ['acked', `${counts.acked} (${Math.round(counts.acked / seconds)} a second)`],
    ['found', counts.found],
    ['lost', counts.lost],
    ['duplicated', counts.duplicated],
    ['dead-lettered', counts.deadLettered],
    ['doomed topic', `${doomed.lost} lost, ${doomed.reported} reported, in ${doomed.recordsCounted} records`],
    ['torn ends', `${facts.torn.acked} acked, ${facts.torn.deadLettered} of them dead-lettered`],
    ['probes left', facts.probes],
    ['chunks sent again', facts.resentChunks],
    ['deduplicated by the indexers', `${facts.deduplicated} at least`],
    ['rebalances', `${facts.rebalances}, at ${facts.membershipChanges} changes of membership`],
    [
      'real client',
      `${client.acked} acked, ${client.lost} lost, ${client.duplicated} doubled (its ids are new each time)`,
    ],
    ['faults', `${struck.length}, ${inFlight} of them with unacked events in flight`],
    ...Object.entries(byKind(struck)).map(([kind, times]) => [`  ${kind}`, times] as const),
    ['bar', `each kind ${bar.faultsOfEachKind} times, unacked events at ${bar.shareInFlight * 100} % of the faults`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(32)}${value}`);
}
