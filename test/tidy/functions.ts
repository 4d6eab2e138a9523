// The functions of a file with the lines that they take, by a name that stays when lines above them move.

import {
  type Function as FunctionNode,
  type ArrowFunctionExpression,
  type CallExpression,
  type Program,
  Visitor,
} from 'oxc-parser';

export interface FunctionSpan {
  /** `name`, `Class.name`, `test("title")`, or `outer > callback` for what has no name of its own. */
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

/** What these are given is a list of tests, and no function that anybody reads from its first line to its last. */
const SUITES = new Set(['describe', 'suite']);

type AnyFunction = FunctionNode | ArrowFunctionExpression;

export function functionsOf(program: Program, lineAt: (offset: number) => number): FunctionSpan[] {
  const found: FunctionSpan[] = [];
  const names = new Map<unknown, string>();
  const suites = new Set<unknown>();
  const outer: string[] = [];
  const enter = (node: AnyFunction): void => {
    const own = node.id?.name ?? names.get(node);
    const name = own ?? [...outer.slice(-1), 'callback'].join(' > ');
    outer.push(name);
    if (!node.body || suites.has(node)) return;
    const line = lineAt(node.start);
    found.push({ name, line, lines: lineAt(node.end - 1) - line + 1 });
  };
  const leave = (): void => void outer.pop();
  const enterClass = (node: { id: { name: string } | null }): void => void outer.push(node.id?.name ?? 'class');
  const nameMember = ({ key, value }: { key: unknown; value: unknown }): void => {
    names.set(value, [...outer.slice(-1), nameOf(key)].join('.'));
  };
  const nameCallback = ({ callee, arguments: given }: CallExpression): void => {
    const called = nameOf(callee.type === 'MemberExpression' ? callee.property : callee);
    const [title] = given;
    for (const argument of given) {
      if (SUITES.has(called)) suites.add(argument);
      if (title?.type === 'Literal') names.set(argument, `${called}(${title.raw})`);
    }
  };
  new Visitor({
    CallExpression: nameCallback,
    ClassDeclaration: enterClass,
    ClassExpression: enterClass,
    'ClassDeclaration:exit': leave,
    'ClassExpression:exit': leave,
    MethodDefinition: nameMember,
    PropertyDefinition: nameMember,
    Property: ({ key, value }) => names.set(value, nameOf(key)),
    VariableDeclarator: ({ id, init }) => names.set(init, nameOf(id)),
    FunctionDeclaration: enter,
    FunctionExpression: enter,
    ArrowFunctionExpression: enter,
    'FunctionDeclaration:exit': leave,
    'FunctionExpression:exit': leave,
    'ArrowFunctionExpression:exit': leave,
  }).visit(program);
  return found;
}

function nameOf(key: unknown): string {
  const { type, name, value } = key as { type: string; name?: string; value?: unknown };
  if (type === 'PrivateIdentifier') return `#${name}`;
  return name ?? (typeof value === 'string' ? value : 'computed');
}
