// A pattern of one name of a path: `*` any characters, `?` one, `[a-z]` and `[!a-z]` one of them, `{a,b}` either. Pure.
//
// Whoever may write to a folder chooses names, so a name takes time in proportion to its length and the pattern's,
// never more: all states that the pattern may be in are followed at once, as an expression that backtracks would not.

/** What a character must be: itself, one of a class, or any. */
type Test = string | RegExp | null;

class State {
  /** Where the pattern may be without a further character. */
  readonly free: State[] = [];
  /** The way with a character that is as `test` says. */
  next: { readonly test: Test; readonly state: State } | null = null;
  /** It, and those that are reached without a character. */
  closure: readonly State[] = [];
  /** In which step of `test` it was reached last. */
  reached = 0;
}

export class NamePattern {
  readonly #states: State[] = [];
  readonly #start: State;
  readonly #end: State;
  /** Whether names that begin with a dot may fit. */
  readonly #takesDots: boolean;
  #step = 0;

  /**
   * Throws a SyntaxError for a class of characters that is none. `isOfFiles`: names that begin with a dot fit only
   * where the pattern does.
   */
  constructor(pattern: string, { isOfFiles = true } = {}) {
    this.#takesDots = !isOfFiles || pattern.startsWith('.');
    this.#start = this.#add();
    this.#end = this.#compile(Array.from(pattern));
    for (const state of this.#states) state.closure = closureOf(state);
  }

  test(name: string): boolean {
    if (!this.#takesDots && name.startsWith('.')) return false;
    let current = this.#start.closure;
    for (const character of name) {
      const after: State[] = [];
      this.#step += 1;
      for (const { next } of current) {
        if (next === null || !fits(next.test, character)) continue;
        for (const state of next.state.closure) {
          if (state.reached === this.#step) continue;
          state.reached = this.#step;
          after.push(state);
        }
      }
      if (after.length === 0) return false;
      current = after;
    }
    return current.includes(this.#end);
  }

  /** Returns the last state. */
  #compile(letters: readonly string[]): State {
    let state = this.#start;
    /** Of each `{` that is open: where its alternatives begin, and where they end. */
    const open: { readonly start: State; readonly end: State }[] = [];
    const close = (): void => {
      const alternatives = open.pop();
      if (alternatives === undefined) return;
      state.free.push(alternatives.end);
      state = alternatives.end;
    };
    for (let at = 0; at < letters.length; at += 1) {
      const letter = letters[at] ?? '';
      const last = open.at(-1);
      const classEnd = letter === '[' ? letters.indexOf(']', at + 2) : -1;
      if (letter === '*') {
        const any = this.#branch(state);
        any.next = { test: null, state: any };
        // A state has one way on: what follows has its own.
        state = this.#branch(any);
      } else if (letter === '{') {
        open.push({ start: state, end: this.#add() });
        state = this.#branch(state);
      } else if (letter === '}' && last !== undefined) close();
      else if (letter === ',' && last !== undefined) {
        state.free.push(last.end);
        state = this.#branch(last.start);
      } else if (classEnd > 0) {
        state = this.#then(state, classOf(letters.slice(at + 1, classEnd).join('')));
        at = classEnd;
      } else state = this.#then(state, letter === '?' ? null : letter);
    }
    while (open.length > 0) close();
    return state;
  }

  #add(): State {
    const state = new State();
    this.#states.push(state);
    return state;
  }

  #branch(from: State): State {
    const state = this.#add();
    from.free.push(state);
    return state;
  }

  #then(from: State, test: Test): State {
    const state = this.#add();
    from.next = { test, state };
    return state;
  }
}

function closureOf(state: State): State[] {
  const reached = new Set([state]);
  for (const one of reached) for (const next of one.free) reached.add(next);
  return [...reached];
}

function fits(test: Test, character: string): boolean {
  if (test === null) return true;
  return typeof test === 'string' ? test === character : test.test(character);
}

/** What is wrong with the patterns, a sentence each; slashes are between patterns of names. */
export function patternMistakes(patterns: readonly string[]): string[] {
  return patterns
    .filter((pattern) => !pattern.split('/').every(isPattern))
    .map((pattern) => `"${pattern}" has a class of characters that is none`);
}

function isPattern(pattern: string): boolean {
  try {
    new NamePattern(pattern);
    return true;
  } catch {
    return false;
  }
}

/** Of one character. */
function classOf(inside: string): RegExp {
  const escaped = inside.replaceAll('\\', String.raw`\\`).replaceAll('[', String.raw`\[`);
  return new RegExp(`^[${escaped.startsWith('!') ? `^${escaped.slice(1)}` : escaped}]$`, 'su');
}
