// What goes wrong, when, for how long, and to whom: all of it drawn from one seed, so that a run's seed gives the same
// schedule again. (What the system does in between is not the seed's: real processes keep no time.)
//
// Kinds come in shuffled rounds, each kind once a round, so that every kind has had its turn before one has had two
// more.

/** How many there are of those that can be hit. */
export const population = {
  forwarder: 2,
  indexer: 3,
  broker: 3,
  elasticsearch: 1,
  kafka: 1,
  senders: 1,
  answers: 1,
  /** Forwarders with workers. */
  workers: 1,
  clock: 5,
  store: 1,
  doomed: 1,
} as const;

type Target = keyof typeof population;

interface KindFacts {
  readonly target: Target;
  /** For how long, in ms: from, to. */
  readonly lastsMs: readonly [number, number];
}

const frozenMs = [1000, 20_000] as const;
const awayMs = [5000, 15_000] as const;
/** Between the end of a process and its start again. */
const downMs = [500, 5000] as const;
/** Others take over what a broker led only once it has not been heard of for 9 s. */
const brokerDownMs = [500, 30_000] as const;
const momentMs = [0, 0] as const;
const minuteMs = [60_000, 60_000] as const;

const kinds = {
  'forwarder killed': { target: 'forwarder', lastsMs: downMs },
  'forwarder frozen': { target: 'forwarder', lastsMs: frozenMs },
  'forwarder restarted': { target: 'forwarder', lastsMs: momentMs },
  'forwarder disk full': { target: 'forwarder', lastsMs: awayMs },
  'indexer killed': { target: 'indexer', lastsMs: downMs },
  'indexer frozen': { target: 'indexer', lastsMs: frozenMs },
  'indexer restarted': { target: 'indexer', lastsMs: momentMs },
  'broker killed': { target: 'broker', lastsMs: brokerDownMs },
  'broker frozen': { target: 'broker', lastsMs: frozenMs },
  'kafka away': { target: 'kafka', lastsMs: awayMs },
  'kafka away, disk full': { target: 'kafka', lastsMs: awayMs },
  'elasticsearch killed': { target: 'elasticsearch', lastsMs: downMs },
  'elasticsearch frozen': { target: 'elasticsearch', lastsMs: frozenMs },
  'answers of elasticsearch cut': { target: 'answers', lastsMs: momentMs },
  'senders cut': { target: 'senders', lastsMs: momentMs },
  'senders stalled': { target: 'senders', lastsMs: frozenMs },
  'workers replaced': { target: 'workers', lastsMs: momentMs },
  'clock a year ahead': { target: 'clock', lastsMs: awayMs },
  'clock a year back': { target: 'clock', lastsMs: awayMs },
  'ingest pipeline missing': { target: 'store', lastsMs: minuteMs },
  'data stream rolled over': { target: 'store', lastsMs: momentMs },
  'topic made anew': { target: 'doomed', lastsMs: momentMs },
  'retention overtaking': { target: 'doomed', lastsMs: momentMs },
  'big chunk': { target: 'senders', lastsMs: momentMs },
  'torn chunk': { target: 'senders', lastsMs: momentMs },
} as const satisfies Record<string, KindFacts>;

export type Kind = keyof typeof kinds;

export const kindNames = Object.keys(kinds) as Kind[];

export interface Fault {
  readonly kind: Kind;
  /** Which of the targets, from 0 on. */
  readonly which: number;
  readonly lastsMs: number;
  /** Pause between the fault before and this one. */
  readonly afterMs: number;
}

export interface ScheduleOptions {
  readonly count: number;
  /** Between two faults, on average. */
  readonly everyMs: number;
  /** What would last longer ends then. */
  readonly lastsMsMax: number;
}

export function scheduleOf(seed: number, { count, everyMs, lastsMsMax }: ScheduleOptions): Fault[] {
  const random = randomOf(seed);
  const between = (from: number, to: number): number => Math.floor(from + random() * (to - from));
  const faults: Fault[] = [];
  while (faults.length < count) {
    for (const kind of shuffled(kindNames, random).slice(0, count - faults.length)) {
      const { target, lastsMs } = kinds[kind];
      faults.push({
        kind,
        which: between(0, population[target]),
        lastsMs: Math.min(between(lastsMs[0], lastsMs[1]), lastsMsMax),
        afterMs: between(everyMs / 2, (everyMs * 3) / 2),
      });
    }
  }
  return faults;
}

function shuffled<T>(given: readonly T[], random: () => number): T[] {
  return given
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** Numbers from 0 to 1, the same for the same seed: mulberry32, public domain. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
