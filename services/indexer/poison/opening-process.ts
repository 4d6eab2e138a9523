// One child process that opens records, as the indexer sees it: started once, asked for one record at a time, until it
// ends.
//
// Guarantees: every question is answered, whatever becomes of the child: should it say nothing at all, not even that it
// reached a limit, it is killed. Times are counted in ticks of our own, so that a stop of the whole machine is nobody's
// fault.

import type { ChildProcess } from 'node:child_process';
import type { Clock } from '#shared/clock.ts';
import { reasonOf } from '#shared/errors.ts';
import type { FetchedRecord } from '#shared/queue/queue.ts';
import type { Harm } from '../settle/harm.ts';
import type { OpeningLimits, ToChild, ToParent } from './messages.ts';
import type { OpeningOptions, Progress } from './record-trial.ts';

const TICK_MS = 1000;
const START_MS_MAX = 60_000;
/** What the child has beyond its own limit to report that a record reached it. */
const GRACE_MS = 15_000;
/** How long the last words of a process that has exited may take to be read. */
const LAST_WORDS_MS = 250;

/**
 * `killed`: by nobody here, while it had not taken much: the kernel, for want of memory, or an operator. Says nothing
 * of the record.
 */
export type Asked =
  | 'well'
  | { readonly harm: 'killed'; readonly what: string }
  | { readonly harm: Harm; readonly what: string; readonly progress: Progress | null };

export class OpeningProcess {
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #limits: OpeningLimits;
  /** Resolves to how it ended. */
  readonly #ended: Promise<string>;
  isAlive = true;
  #heard: (message: ToParent) => void = () => undefined;
  #progress: Progress | null = null;
  #isGrown = false;
  #isKilledHere = false;
  #isKilledElsewhere = false;

  constructor(child: ChildProcess, clock: Clock, limits: OpeningLimits) {
    this.#child = child;
    this.#clock = clock;
    this.#limits = limits;
    child.on('message', (message: ToParent) => {
      if (message.kind === 'progress') this.#progress = message.progress;
      else if (message.kind === 'grown') this.#isGrown = true;
      else this.#heard(message);
    });
    this.#ended = this.#end();
  }

  /** Resolves when records can be opened; rejects where they never will be. */
  async start(options: OpeningOptions): Promise<void> {
    const said = await this.#ask({ kind: 'begin', options, limits: this.#limits }, START_MS_MAX);
    if (said.kind === 'ready') return;
    throw new Error(said.kind === 'harmed' ? said.what : `it said ${said.kind}`);
  }

  async open(record: FetchedRecord): Promise<Asked> {
    this.#progress = null;
    this.#isGrown = false;
    const said = await this.#ask({ kind: 'open', record }, this.#limits.runMs + GRACE_MS);
    if (said.kind === 'well') return 'well';
    if (this.#isKilledElsewhere && said.kind === 'harmed' && said.harm === 'died' && !this.#isGrown)
      return { harm: 'killed', what: said.what };
    const { harm, what } = said.kind === 'harmed' ? said : ({ harm: 'died', what: `it said ${said.kind}` } as const);
    return { harm, what, progress: this.#progress };
  }

  kill(): void {
    this.isAlive = false;
    this.#isKilledHere = true;
    this.#child.kill('SIGKILL');
  }

  async #ask(message: ToChild, limitMs: number): Promise<ToParent> {
    const answer = Promise.withResolvers<ToParent>();
    this.#heard = answer.resolve;
    void this.#ended.then((how) => answer.resolve({ kind: 'harmed', harm: 'died', what: how }));
    let ticks = 0;
    const tick = (): Disposable =>
      this.#clock.timer(TICK_MS, () => {
        if (++ticks * TICK_MS < limitMs) timer = tick();
        else {
          answer.resolve({
            kind: 'harmed',
            harm: 'time',
            what: `it was killed after ${limitMs / 1000} s without an answer`,
          });
          this.kill();
        }
      });
    let timer = tick();
    // Where it cannot be sent, the end of the process shows why.
    if (this.#child.connected) this.#child.send(message, undefined, undefined, () => undefined);
    try {
      return await answer.promise;
    } finally {
      timer[Symbol.dispose]();
    }
  }

  /** What a process said last is read after its exit is known. */
  async #end(): Promise<string> {
    const how = Promise.withResolvers<string>();
    const gone = Promise.withResolvers<void>();
    this.#child.on('error', (error) => how.resolve(reasonOf(error)));
    this.#child.once('disconnect', () => gone.resolve());
    this.#child.once('exit', (code, signal) => {
      this.#isKilledElsewhere = signal === 'SIGKILL' && !this.#isKilledHere;
      how.resolve(signal === null ? `it ended with code ${code}` : `it was ended by ${signal}`);
    });
    const ended = await how.promise;
    this.isAlive = false;
    await Promise.race([gone.promise, this.#clock.sleep(LAST_WORDS_MS)]);
    return ended;
  }
}
