// The audit lines of Sluice's own log: who was refused, where and why, and what operators had done. One scheme for
// every listener:
//
//   access_refused  {input, reason, peer, detail?, count}     warn
//   admin_action    {action, who, peer, outcome, count}       info
//
// A flood cannot fill the log. The first of each kind is written at once, with count 1; those alike that follow within
// a minute are counted and written as one line at its end. Beyond KINDS_MAX kinds in a minute the peers are not named
// apart.
//
// Guarantees: each refusal is in the sum of the counts; no line has a secret, a payload or a control character.

import type { Clock } from './clock.ts';
import { harmless } from './harmless.ts';
import type { Log } from './log.ts';

export interface AccessRefusal {
  readonly input: string;
  /** Of a closed set. */
  readonly reason: string;
  /** Its address; null where it is not known. */
  readonly peer: string | null;
  /** What the operator may want to know; never a secret. */
  readonly detail?: string | undefined;
}

export interface AdminDeed {
  readonly action: string;
  /** The name of the token, or of the certificate; else how it was let in. */
  readonly who: string;
  readonly peer: string;
  readonly outcome: 'started' | 'done' | 'failed';
}

const WINDOW_MS = 60_000;
const KINDS_MAX = 256;
const DETAIL_LENGTH_MAX = 200;
/** In place of a peer that is not told apart. */
const OTHERS = 'others';

interface Kind {
  readonly tell: (count: number) => void;
  untold: number;
}

export class AccessLog implements Disposable {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #kinds = new Map<string, Kind>();
  #window: Disposable | null = null;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  refused({ input, reason, peer, detail = '' }: AccessRefusal): void {
    const what = detail === '' ? {} : { detail: cut(detail) };
    const tell = (shown: string) => (count: number) =>
      this.#log.warn('access_refused', { input, reason, peer: shown, ...what, count });
    this.#count(`refused ${input} ${reason}`, peer ?? 'unknown', tell);
  }

  done({ action, who, peer, outcome }: AdminDeed): void {
    const tell = (shown: string) => (count: number) =>
      this.#log.info('admin_action', { action, who: cut(who), peer: shown, outcome, count });
    this.#count(`done ${action} ${outcome} ${who}`, peer, tell);
  }

  #count(what: string, peer: string, tell: (peer: string) => (count: number) => void): void {
    this.#window ??= this.#clock.timer(WINDOW_MS, () => this[Symbol.dispose]());
    const known = this.#kinds.get(`${what} ${peer}`);
    if (known) {
      known.untold += 1;
      return;
    }
    const isFull = this.#kinds.size >= KINDS_MAX;
    const shown = isFull ? OTHERS : peer;
    const key = `${what} ${shown}`;
    const others = this.#kinds.get(key);
    if (others) {
      others.untold += 1;
      return;
    }
    const kind = { tell: tell(shown), untold: isFull ? 1 : 0 };
    this.#kinds.set(key, kind);
    if (!isFull) kind.tell(1);
  }

  /** Writes what was counted and not told yet. */
  [Symbol.dispose](): void {
    this.#window?.[Symbol.dispose]();
    this.#window = null;
    const kinds = [...this.#kinds.values()];
    this.#kinds.clear();
    for (const { tell, untold } of kinds) if (untold > 0) tell(untold);
  }
}

function cut(text: string): string {
  const [line = ''] = text.split('\n', 1);
  return harmless(line.slice(0, DETAIL_LENGTH_MAX));
}
