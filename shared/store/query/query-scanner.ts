// The text of a query, read piece by piece from left to right. Pure; each piece is read once.

import { Mistake } from './query-mistake.ts';

const SPACES = /\s*/y;
const KEYWORD = /(AND|OR|NOT|&&|\|\|)(?=[\s()]|$)/y;

export class QueryScanner {
  readonly text: string;
  /** Where the next piece begins, or spaces before it. */
  at = 0;
  /** Parentheses that are not closed yet. */
  open = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** What is between quotes; `\"` and `\\` stand for themselves. */
  quoted(): string {
    const { at } = this.here();
    let value = '';
    for (let i = at + 1; i < this.text.length; i++) {
      let character = this.text.charAt(i);
      if (character === '"') {
        this.at = i + 1;
        return value;
      }
      const next = this.text.charAt(i + 1);
      if (character === '\\' && (next === '"' || next === '\\')) {
        character = next;
        i++;
      }
      value += character;
    }
    throw new Mistake('this " is never closed', at);
  }

  /** Up to a space, a quote, or the parenthesis that closes a group. At least one character, if there is any. */
  bare(): string {
    const { at } = this.here();
    let open = 0;
    let i = at;
    for (; i < this.text.length; i++) {
      const character = this.text.charAt(i);
      if (character === '\\' && i + 1 < this.text.length && !/\s/.test(this.text.charAt(i + 1))) i++;
      else if (character === '(') open++;
      else if (character === ')' && --open < 0 && this.open > 0) break;
      else if (character === '"' || /\s/.test(character)) break;
    }
    this.at = i;
    return this.text.slice(at, i);
  }

  here(): { readonly at: number } {
    this.at += this.match(SPACES)?.[0].length ?? 0;
    return { at: this.at };
  }

  keyword(...names: string[]): { readonly name: string; readonly at: number } | null {
    const { at } = this.here();
    const name = this.match(KEYWORD)?.[1] ?? '';
    if (!names.includes(name)) return null;
    this.at += name.length;
    return { name, at };
  }

  match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text);
  }
}
