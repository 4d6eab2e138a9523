// What a siege has shown, held against its bars. Pure.

import type { Counts } from '#test/chaos/books.ts';
import type { Verdict } from '#test/chaos/verdict.ts';

const MIB = 1024 * 1024;

export interface Bars {
  /** Of all turns of a main thread's event loop, what share may be longer than `turnSeconds`. */
  readonly turnShareMax: number;
  readonly turnSeconds: number;
  /** And none may be longer than this. */
  readonly turnSecondsMax: number;
  readonly rssBytesMax: number;
  /** Of the good senders' rate in the calm; null where it is only told. */
  readonly rateShareMin: number | null;
}

export interface TargetFacts {
  readonly name: string;
  readonly limitedBy: string;
  readonly turns: number;
  /** Longer than `turnSeconds`, and than `turnSecondsMax`. */
  readonly turnsLong: number;
  readonly turnsTooLong: number;
  /** Upper bound of what its longest turn took; infinite beyond the histogram. */
  readonly longestTurnSeconds: number;
  readonly peakRssBytes: number;
  readonly livezMissed: number;
  readonly livezP99Ms: number;
  readonly ledgerImbalance: number;
  /** Null while it ran to the end; else how it ended. */
  readonly fell: string | null;
}

export interface DiskFacts {
  readonly folder: string;
  readonly bytes: number;
  /** Null: none is configured. */
  readonly bytesMax: number | null;
}

export interface Facts {
  readonly bars: Bars;
  readonly targets: readonly TargetFacts[];
  readonly disk: readonly DiskFacts[];
  /** Acked events of the good senders per second. */
  readonly calmRate: number;
  readonly siegeRate: number;
  readonly counts: Counts;
  /** Events of those who may not connect that were found. */
  readonly intruders: number;
  readonly intrusions: number;
  readonly shots: number;
  readonly tried: number;
  readonly attackBytes: number;
  readonly peersOpened: number;
  readonly peersAtOnce: number;
  readonly heldSeconds: number;
  /** What is wrong beside all this: something that never came to rest. */
  readonly faultsFound: readonly string[];
}

export function verdictOf(facts: Facts): Verdict {
  const broken = [...facts.targets.flatMap((target) => missedBy(target, facts.bars)), ...missed(facts)];
  if (broken.length > 0) return { verdict: 'broken', reasons: broken };
  const missing: string[] = [];
  if (facts.counts.acked === 0) missing.push('nothing of the good senders was acked');
  if (facts.calmRate === 0) missing.push('nothing was acked in the calm');
  if (facts.shots === 0) missing.push('nothing was shot');
  if (facts.intrusions === 0) missing.push('nobody tried to intrude');
  if (facts.targets.some(({ turns }) => turns === 0)) missing.push('no turns were told');
  return missing.length > 0 ? { verdict: 'inconclusive', reasons: missing } : { verdict: 'clean', reasons: [] };
}

function missedBy(target: TargetFacts, bars: Bars): string[] {
  const { name, turns, turnsLong, turnsTooLong, peakRssBytes, livezMissed, ledgerImbalance, fell } = target;
  const missed: string[] = [];
  if (fell !== null) missed.push(`${name} ended: ${fell}`);
  if (turnsTooLong > 0) {
    missed.push(
      `${name}: ${turnsTooLong} turns took more than ${bars.turnSecondsMax * 1000} ms of the processor, one of them up to ${target.longestTurnSeconds} s`,
    );
  }
  if (turnsLong > turns * bars.turnShareMax) {
    missed.push(
      `${name}: ${turnsLong} of ${turns} turns took more than ${bars.turnSeconds * 1000} ms of the processor`,
    );
  }
  if (peakRssBytes > bars.rssBytesMax) missed.push(`${name} took ${mib(peakRssBytes)} MiB of memory`);
  if (livezMissed > 0) missed.push(`${name}: /livez was not answered ${livezMissed} times`);
  if (ledgerImbalance !== 0) missed.push(`${name}: a ledger did not close: ${ledgerImbalance}`);
  return missed;
}

function missed({ disk, counts, intruders, calmRate, siegeRate, bars, faultsFound }: Facts): string[] {
  const missed = [...faultsFound];
  for (const { folder, bytes, bytesMax } of disk) {
    if (bytesMax !== null && bytes > bytesMax)
      missed.push(`${folder} took ${mib(bytes)} MiB of disk, of ${mib(bytesMax)}`);
  }
  if (counts.lost > 0) missed.push(`${counts.lost} acked events are lost`);
  if (counts.duplicated > 0) missed.push(`${counts.duplicated} events are there more than once`);
  if (intruders > 0) missed.push(`${intruders} events of those who may not connect were let in`);
  if (bars.rateShareMin !== null && siegeRate < calmRate * bars.rateShareMin) {
    missed.push(`the good senders kept ${share(siegeRate, calmRate)} of their rate`);
  }
  return missed;
}

/** The table, a line each. */
export function tableOf(facts: Facts): string[] {
  const { counts, bars, calmRate, siegeRate } = facts;
  const rows: [string, string][] = [
    ['inputs tried by the generator', String(facts.tried)],
    [
      'shots of the siege',
      `${facts.shots}, ${mib(facts.attackBytes)} MiB (${Math.round(facts.heldSeconds)} s held, the queue being far behind)`,
    ],
    [
      'bad peers',
      `${facts.peersOpened}, ${facts.peersAtOnce} at once; ${facts.intrusions} from where none may connect`,
    ],
    [
      'good senders',
      `${counts.acked} events acked of ${counts.sent}, ${counts.lost} lost, ${counts.duplicated} doubled`,
    ],
    [
      '  rate',
      `${Math.round(calmRate)} in the calm, ${Math.round(siegeRate)} under siege: ${share(siegeRate, calmRate)} (${bars.rateShareMin === null ? 'told only' : `at least ${bars.rateShareMin * 100} %`})`,
    ],
    ['let in', String(facts.intruders)],
  ];
  for (const target of facts.targets) {
    const long = target.turns === 0 ? 0 : (100 * target.turnsLong) / target.turns;
    rows.push(
      [target.name, `limited by ${target.limitedBy}${target.fell === null ? '' : `; ENDED: ${target.fell}`}`],
      ['  memory, peak', `${mib(target.peakRssBytes)} MiB (at most ${mib(bars.rssBytesMax)})`],
      ['  turns of the event loop', String(target.turns)],
      [
        `    beyond ${bars.turnSeconds * 1000} ms`,
        `${target.turnsLong}: ${long.toFixed(3)} % (at most ${bars.turnShareMax * 100} %)`,
      ],
      [
        `    beyond ${bars.turnSecondsMax * 1000} ms`,
        `${target.turnsTooLong} (none); the longest up to ${target.longestTurnSeconds * 1000} ms`,
      ],
      ['  /livez', `p99 ${Math.round(target.livezP99Ms)} ms, ${target.livezMissed} times no answer`],
    );
  }
  for (const { folder, bytes, bytesMax } of facts.disk) {
    rows.push([
      `disk: ${folder}`,
      `${mib(bytes)} MiB${bytesMax === null ? ' (no limit is configured)' : ` (at most ${mib(bytesMax)})`}`,
    ]);
  }
  return rows.map(([name, value]) => `${name.padEnd(32)}${value}`);
}

function mib(bytes: number): number {
  return Math.round(bytes / MIB);
}

function share(part: number, whole: number): string {
  return whole === 0 ? 'none' : `${Math.round((100 * part) / whole)} %`;
}
