// What a row of the table of settings has, and the kinds of rows: each makes the schema that validates, and says how
// the text of a variable becomes a value.

import { type Static, type TSchema, Type } from 'typebox';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** How the text of a variable becomes a value. */
export type Syntax = 'text' | 'integer' | 'count' | 'bytes' | 'milliseconds' | 'boolean' | 'list' | 'yaml';

export interface Setting<S extends TSchema = TSchema> {
  readonly syntax: Syntax;
  readonly schema: S;
  /** Absent: unset unless given. */
  readonly default?: Static<S>;
  /** Told instead of the default where it depends on others. */
  readonly defaultText?: string;
  readonly secret?: boolean;
  /** What each element of a list may be. */
  readonly choices?: readonly string[];
  /** One sentence for the reference. */
  readonly about: string;
}

type Facts<S extends TSchema> = Omit<Setting<S>, 'syntax' | 'schema' | 'about'>;
type Given<S extends TSchema, F> = Setting<S> & F;

export const text = <const F extends Facts<ReturnType<typeof Type.String>>>(about: string, facts: F) =>
  ({ syntax: 'text', schema: Type.String({ minLength: 1 }), about, ...facts }) as Given<
    ReturnType<typeof Type.String>,
    F
  >;

export const oneOf = <const V extends string, const F extends { default?: NoInfer<V>; defaultText?: string }>(
  values: readonly V[],
  about: string,
  facts: F,
) =>
  ({ syntax: 'text', schema: Type.Unsafe<V>(Type.Enum([...values])), about, ...facts }) as Given<
    ReturnType<typeof Type.Unsafe<V>>,
    F
  >;

const quantity =
  (syntax: Syntax) =>
  <const F extends { default?: number; defaultText?: string }>(
    range: { minimum: number; maximum: number },
    about: string,
    facts: F,
  ) =>
    ({ syntax, schema: Type.Integer(range), about, ...facts }) as Given<ReturnType<typeof Type.Integer>, F>;

export const bytes = quantity('bytes');
export const milliseconds = quantity('milliseconds');
export const integer = quantity('integer');

/** A whole number, or as many as the machine has. */
export const count = <const F extends { default: number }>(
  range: { minimum: number; maximum: number },
  about: string,
  facts: F,
) =>
  ({
    syntax: 'count',
    schema: Type.Unsafe<number | 'auto'>(Type.Union([Type.Integer(range), Type.Literal('auto')])),
    about,
    ...facts,
  }) as Given<ReturnType<typeof Type.Unsafe<number | 'auto'>>, F>;

export const flag = <const F extends { default: boolean }>(about: string, facts: F) =>
  ({ syntax: 'boolean', schema: Type.Boolean(), about, ...facts }) as Given<ReturnType<typeof Type.Boolean>, F>;

/** One without a default is left out where there is nothing to list; `[]` in the file is a mistake. */
export const list = <const F extends { default?: readonly string[] }>(about: string, facts: F) =>
  ({
    syntax: 'list',
    schema: Type.Unsafe<readonly string[]>(
      Type.Array(Type.String({ minLength: 1 }), { minItems: facts.default === undefined ? 1 : 0 }),
    ),
    about,
    ...facts,
  }) as Given<ReturnType<typeof Type.Unsafe<readonly string[]>>, F>;

export const someOf = <const V extends string>(values: readonly V[], about: string) => {
  const schema = Type.Unsafe<readonly V[]>(Type.Array(Type.Enum([...values]), { minItems: 1 }));
  return { syntax: 'list', schema, about, choices: values } as Given<typeof schema, { choices: readonly V[] }>;
};

/** Lists and maps, as they stand in the YAML file; in a variable as YAML or JSON. */
export const tree = <const S extends TSchema>(schema: S, about: string, facts: { defaultText?: string }) =>
  ({ syntax: 'yaml', schema, about, ...facts }) as Given<S, typeof facts>;
