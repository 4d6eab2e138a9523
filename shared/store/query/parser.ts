// The text of a query → a tree (where.ts). The language is in docs/search.md; it is what people know from Kibana and
// Lucene, and words mean what they always have.
//
//   all    = query { "|" stage }: see stages.ts
//   query  = and { ("OR" | "||") and }                 and    = unary { ["AND" | "&&"] unary }
//   unary  = [ "NOT" | "-" ] unary | "(" query ")" | NAME ":" value | NAME (">=" | ">" | "<=" | "<") literal | words
//   value  = words | "[" from "TO" to "]" | ">=" literal | "(" query ")", with the name for each of its values
//
// What means nothing to the language is text, as it is on the command line of `grep`: `main()`, `->`, `http://x`. A
// piece without a letter or digit says nothing.
//
// Pure and total: every text is a tree, or a mistake and its place. Bounded in length, depth and terms; linear.

import { parseQueryText } from '../query-text.ts';
import { fieldNamed } from './fields.ts';
import {
  fieldExists,
  fieldMatch,
  fieldRange,
  ofEach,
  type NamedField,
  type RangeEnd,
  type RangeOperator,
} from './field-terms.ts';
import { Mistake, type QueryMistake } from './query-mistake.ts';
import { QueryScanner } from './query-scanner.ts';
import { parseStages, type Stage } from './stages.ts';
import type { Field, Where } from '../where.ts';

export const QUERY_LENGTH_MAX = 16_384;
const DEPTH_MAX = 50;
const TERMS_MAX = 500;

export interface ParseOptions {
  /** What `now` is. */
  readonly nowMs: number;
}

export type ParsedQuery =
  { readonly where: Where; readonly stages: readonly Stage[] } | { readonly mistake: QueryMistake };

const NAME = /((?:[\p{L}_@]|\\.)(?:[\p{L}\p{N}_.@/-]|\\.)*)(\s*)(>=|<=|>|<|:)(\s*)/uy;
/** What makes a comparison of `a > 5`, and not of `List<String>`. */
const LITERAL = /"|now\b|[+-]?\.?\d/y;
/** With a space on either side only these are: `x > 5`, as Kibana takes it; `->` and `=>` are text. */
const OPERATOR = /(>=|<=|>|<)\s*/y;
const RANGE = /([[{])\s*("[^"]*"|[^\s\]}"]+)\s+TO\s+("[^"]*"|[^\s\]}"]+)\s*([\]}])/y;
const RANGE_FORM = 'a range is written [1 TO 5]; text with brackets goes in "quotes"';
const ESCAPED = /\\(.)/gsu;

export function parseQuery(text: string, options: ParseOptions): ParsedQuery {
  try {
    if (text.length > QUERY_LENGTH_MAX)
      throw new Mistake(`it is longer than ${QUERY_LENGTH_MAX} characters`, QUERY_LENGTH_MAX);
    const parser = new Parser(text.toWellFormed(), options);
    const where = parser.all();
    return { where, stages: parseStages(text.toWellFormed(), parser.at) };
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    return { mistake: { message: error.message, at: error.at } };
  }
}

class Parser {
  readonly #in: QueryScanner;
  readonly #options: ParseOptions;
  #depth = 0;
  #terms = 0;
  /** Whose values are read, inside `name:( … )`. */
  #scope: { readonly field: Field; readonly at: number } | null = null;

  constructor(text: string, options: ParseOptions) {
    this.#in = new QueryScanner(text);
    this.#options = options;
  }

  /** Up to a bar, or to the end. */
  all(): Where {
    return this.#or() ?? { kind: 'all' };
  }

  get at(): number {
    return this.#in.at;
  }

  /** Null where nothing is said. */
  #or(): Where | null {
    const nodes: Where[] = [];
    const start = this.#in.at;
    let node = this.#and();
    for (let operator = this.#in.keyword('OR', '||'); operator !== null; operator = this.#in.keyword('OR', '||')) {
      nodes.push(needed(node, operator.at, `${operator.name} has nothing to look for before it`));
      node = needed(this.#and(), operator.at, `${operator.name} has nothing to look for behind it`);
    }
    if (nodes.length === 0) return node;
    return { kind: 'or', nodes: [...nodes, needed(node, start, 'there is nothing to look for')] };
  }

  #and(): Where | null {
    const nodes: Where[] = [];
    let isFirst = true;
    for (;;) {
      const operator = this.#in.keyword('AND', '&&');
      if (operator !== null && isFirst) throw new Mistake(`${operator.name} has nothing before it`, operator.at);
      if (this.#isEnd()) {
        if (operator !== null) throw new Mistake(`${operator.name} has nothing behind it`, operator.at);
        break;
      }
      const node = this.#unary();
      if (node !== null) nodes.push(node);
      isFirst = false;
    }
    const [only] = nodes;
    if (only === undefined) return null;
    return nodes.length === 1 ? only : { kind: 'and', nodes };
  }

  /** Whether nothing more belongs to this run of terms. */
  #isEnd(): boolean {
    this.#in.here();
    if (this.#in.at >= this.#in.text.length || (this.#in.open > 0 && this.#in.text[this.#in.at] === ')')) return true;
    const at = this.#in.at;
    if (this.#in.open === 0 && this.#in.text[at] === '|' && this.#in.text[at + 1] !== '|') return true;
    const isOr = this.#in.keyword('OR', '||') !== null;
    this.#in.at = at;
    return isOr;
  }

  #unary(): Where | null {
    const { at } = this.#in.here();
    const isNot = this.#in.keyword('NOT') !== null || this.#minus();
    if (!isNot) return this.#primary();
    if (this.#isEnd()) throw new Mistake('there is nothing to exclude', at);
    this.#deeper(at);
    const node = needed(this.#unary(), at, 'there is nothing to exclude');
    this.#depth--;
    return { kind: 'not', node };
  }

  /** A minus before a word; `--verbose` and `->` are text. */
  #minus(): boolean {
    if (this.#in.text[this.#in.at] !== '-' || !/[\p{L}\p{N}_@"(\\]/u.test(this.#in.text.charAt(this.#in.at + 1)))
      return false;
    this.#in.at++;
    return true;
  }

  #primary(): Where | null {
    const stray = this.#in.keyword('AND', 'OR', '&&', '||');
    if (stray !== null) throw new Mistake(`${stray.name} has nothing before it`, stray.at);
    const { at } = this.#in.here();
    if (this.#in.text[at] === '(') return this.#group();
    const term =
      this.#scope === null ? (this.#fieldTerm() ?? this.#words()) : this.#value(this.#scope.field, this.#scope.at);
    if (term !== null && ++this.#terms > TERMS_MAX) throw new Mistake(`it has more than ${TERMS_MAX} terms`, at);
    return term;
  }

  #group(): Where | null {
    const { at } = this.#in.here();
    this.#deeper(at);
    this.#in.open++;
    this.#in.at++;
    const node = this.#or();
    this.#in.here();
    if (this.#in.text[this.#in.at] !== ')') throw new Mistake('this ( is never closed', at);
    this.#in.at++;
    this.#in.open--;
    this.#depth--;
    return node;
  }

  /** Null, and nothing read, where what comes is text. */
  #fieldTerm(): Where | null {
    const { at } = this.#in.here();
    const [all, written = '', spaceBefore = '', operator = '', spaceAfter = ''] = this.#in.match(NAME) ?? [];
    if (all === undefined || written.endsWith('-')) return null;
    const field = fieldNamed(unescaped(written));
    const behind = at + all.length;
    if (operator === ':') {
      if (spaceBefore !== '' || spaceAfter !== '' || this.#isText(behind)) return null;
      this.#in.at = behind;
      return this.#value(field, at);
    }
    LITERAL.lastIndex = behind;
    // With spaces only before what is surely a value, without them also before what has to be one.
    const isTight = spaceBefore === '' && spaceAfter === '' && operator.length === 2 && behind < this.#in.text.length;
    if (!isTight && !LITERAL.test(this.#in.text)) return null;
    this.#in.at = behind - spaceAfter.length - operator.length;
    return this.#value(field, at);
  }

  /** Whether what stands behind a colon makes text of it: `ERROR: x`, `http://x`, `std::string`, `C:\x`. */
  #isText(behind: number): boolean {
    const next = this.#in.text[behind];
    return next === undefined || next === ':' || next === '\\' || this.#in.text.startsWith('//', behind);
  }

  #value(field: Field, nameAt: number): Where {
    const { at } = this.#in.here();
    const { nowMs } = this.#options;
    const named: NamedField = { field, at: nameAt, valueAt: at };
    const operator = this.#in.match(OPERATOR);
    if (operator !== null) {
      this.#in.at += operator[0].length;
      return this.#comparison(operator[1] as RangeOperator, named);
    }
    if (this.#in.text[at] === '(') return this.#scoped(field, nameAt);
    if (this.#in.text[at] === '[' || this.#in.text[at] === '{') return this.#range(named);
    const isQuoted = this.#in.text[at] === '"';
    const text = isQuoted ? this.#in.quoted() : this.#in.bare();
    return ofEach(named, (one) => fieldMatch(one, text, { isQuoted, nowMs }));
  }

  #comparison(operator: RangeOperator, named: NamedField): Where {
    const { at } = this.#in.here();
    const text = this.#in.text[at] === '"' ? this.#in.quoted() : this.#in.bare();
    if (text === '') throw new Mistake(`${operator} has nothing behind it`, named.valueAt);
    const end: RangeEnd = { operator, text, at };
    return ofEach(named, (one) => fieldRange(one, [end], this.#options.nowMs));
  }

  #range(named: NamedField): Where {
    const { at } = this.#in.here();
    const [all, open = '', from = '', to = '', close = ''] = this.#in.match(RANGE) ?? [];
    if (all === undefined) throw new Mistake(RANGE_FORM, at);
    this.#in.at += all.length;
    const toAt = at + all.lastIndexOf(to, all.length - 2);
    const ends: RangeEnd[] = [];
    if (from !== '*')
      ends.push({ operator: open === '[' ? '>=' : '>', text: unquoted(from), at: at + all.indexOf(from, 1) });
    if (to !== '*') ends.push({ operator: close === ']' ? '<=' : '<', text: unquoted(to), at: toAt });
    return ofEach(named, (one) => (ends.length === 0 ? fieldExists(one) : fieldRange(one, ends, this.#options.nowMs)));
  }

  #scoped(field: Field, nameAt: number): Where {
    const outer = this.#scope;
    this.#scope = { field, at: nameAt };
    const { at } = this.#in.here();
    const node = needed(this.#group(), at, 'there is nothing between the parentheses');
    this.#scope = outer;
    return node;
  }

  #words(): Where | null {
    const { at } = this.#in.here();
    let piece: string;
    if (this.#in.text[at] === '"') {
      // One that is not closed goes to the end: it always did.
      const close = this.#in.text.indexOf('"', at + 1);
      const end = close < 0 ? this.#in.text.length : close;
      piece = `"${this.#in.text.slice(at + 1, end)}"`;
      this.#in.at = end + 1;
    } else piece = this.#in.bare();
    const [term] = parseQueryText(piece);
    return term === undefined ? null : { kind: 'words', term };
  }

  #deeper(at: number): void {
    if (++this.#depth > DEPTH_MAX) throw new Mistake(`it is nested more than ${DEPTH_MAX} deep`, at);
  }
}

function needed(node: Where | null, at: number, message: string): Where {
  if (node === null) throw new Mistake(message, at);
  return node;
}

/** A key has no NUL: see json-value.ts of the indexer. */
const unescaped = (name: string): string => name.replaceAll(ESCAPED, '$1').replaceAll('\0', '\ufffd');

const unquoted = (text: string): string => (text.startsWith('"') ? text.slice(1, -1) : text);
