// A pattern of one name of a path: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of them, `{a,b}` either. Pure.
//
// Whoever may write to a folder chooses names, so a name takes time in proportion to its length and the pattern's,
// never more: all states that the pattern may be in are followed at once, as an expression that backtracks would not.

/** What a character must be: itself, one of a class, or any. */
type Test = string | RegExp | null;

interface State {
  /** Where the pattern may be without a further character. */
  readonly free: number[];
  test: Test;
  /** Behind a character that is as `test` says; -1: there is no such way. */
  to: number;
}

const NO_TARGET = -1;

export class NamePattern {
  readonly #states: State[] = [];
  readonly #end: number;
  /** States to go on from, of each state: it, and those that are reached without a character. */
  readonly #closures: readonly (readonly number[])[];
  readonly #startsWithDot: boolean;
  /** When a state was reached last, in steps of `test`. */
  readonly #reached: Float64Array;
  #step = 0;

  /** Throws a SyntaxError for a class of characters that is none. */
  constructor(pattern: string) {
    this.#startsWithDot = pattern.startsWith('.');
    this.#end = this.#compile([...pattern]);
    this.#closures = this.#states.map((_, state) => this.#closureOf(state));
    this.#reached = new Float64Array(this.#states.length);
  }

  /** Names that begin with a dot fit only where the pattern does. */
  test(name: string): boolean {
    if (!this.#startsWithDot && name.startsWith('.')) return false;
    let current: readonly number[] = this.#closures[0] ?? [];
    for (const character of name) {
      const next: number[] = [];
      this.#step += 1;
      for (const at of current) {
        const { test, to } = this.#states[at]!;
        if (to === NO_TARGET || !fits(test, character)) continue;
        for (const reached of this.#closures[to]!) {
          if (this.#reached[reached] === this.#step) continue;
          this.#reached[reached] = this.#step;
          next.push(reached);
        }
      }
      if (next.length === 0) return false;
      current = next;
    }
    return current.includes(this.#end);
  }

  /** Returns the last state. */
  #compile(letters: readonly string[]): number {
    let state = this.#add();
    /** Of each `{` that is open: where its alternatives begin, and where they end. */
    const open: { readonly start: number; readonly end: number }[] = [];
    const close = (): void => {
      const alternatives = open.pop();
      if (alternatives === undefined) return;
      this.#states[state]!.free.push(alternatives.end);
      state = alternatives.end;
    };
    for (let at = 0; at < letters.length; at += 1) {
      const letter = letters[at] ?? '';
      const last = open.at(-1);
      const classEnd = letter === '[' ? letters.indexOf(']', at + 2) : -1;
      if (letter === '*') {
        const any = this.#add();
        this.#states[state]!.free.push(any);
        Object.assign(this.#states[any]!, { test: null, to: any });
        state = any;
        // A state has one way on: what follows begins in one of its own.
        const behind = this.#add();
        this.#states[state]!.free.push(behind);
        state = behind;
      } else if (letter === '{') {
        const start = state;
        open.push({ start, end: this.#add() });
        state = this.#branch(start);
      } else if (letter === '}' && last !== undefined) close();
      else if (letter === ',' && last !== undefined) {
        this.#states[state]!.free.push(last.end);
        state = this.#branch(last.start);
      } else if (classEnd > 0) {
        state = this.#then(state, classOf(letters.slice(at + 1, classEnd).join('')));
        at = classEnd;
      } else state = this.#then(state, letter === '?' ? null : letter);
    }
    while (open.length > 0) close();
    return state;
  }

  #add(): number {
    return this.#states.push({ free: [], test: null, to: NO_TARGET }) - 1;
  }

  #branch(from: number): number {
    const state = this.#add();
    this.#states[from]!.free.push(state);
    return state;
  }

  #then(from: number, test: Test): number {
    const to = this.#add();
    Object.assign(this.#states[from]!, { test, to });
    return to;
  }

  #closureOf(state: number): number[] {
    const reached = new Set([state]);
    for (const at of reached) for (const next of this.#states[at]!.free) reached.add(next);
    return [...reached];
  }
}

function fits(test: Test, character: string): boolean {
  if (test === null) return true;
  return typeof test === 'string' ? test === character : test.test(character);
}

/** Of one character. */
function classOf(inside: string): RegExp {
  const escaped = inside.replaceAll('\\', String.raw`\\`).replaceAll('[', String.raw`\[`);
  return new RegExp(`^[${escaped.startsWith('!') ? `^${escaped.slice(1)}` : escaped}]$`, 'su');
}
