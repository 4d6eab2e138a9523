// `kafka.sources`: topics that others write and the indexer reads beside its own, and how each is read. Here are the
// form of a rule, what is wrong with a list of them, and which rule a topic has. Pure.
//
//   - topic: app-logs                    or pattern: 'logs\..*', which the whole name must match
//     format: json                       text, json, ndjson, otlp_json, otlp_proto
//     time: {field: ts, format: ms}      rfc3339, s, ms, us, ns; else Kafka's timestamp
//     tag: 'app.{topic}.{service.name}'  {topic}, {partition}, or a field of the record
//     keep: [key, headers, position]     below `kafka` of the document's attributes
//     tenant: acme

import { type Static, Type } from 'typebox';

const SOURCE_FORMATS = ['text', 'json', 'ndjson', 'otlp_json', 'otlp_proto'] as const;
const TIME_FORMATS = ['rfc3339', 's', 'ms', 'us', 'ns'] as const;
const KEPT_PARTS = ['key', 'headers', 'position'] as const;

const closed = { additionalProperties: false };
const TENANT = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$';
/** Of a topic, by Kafka's rule. */
const TOPIC = '^[A-Za-z0-9._-]{1,249}$';

const oneOf = <const V extends string>(values: readonly V[]) => Type.Unsafe<V>(Type.Enum([...values]));

const Rule = Type.Object(
  {
    topic: Type.Optional(Type.String({ pattern: TOPIC })),
    pattern: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
    format: oneOf(SOURCE_FORMATS),
    time: Type.Optional(
      Type.Object({ field: Type.String({ minLength: 1, maxLength: 256 }), format: oneOf(TIME_FORMATS) }, closed),
    ),
    tag: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
    keep: Type.Optional(Type.Array(oneOf(KEPT_PARTS))),
    tenant: Type.Optional(Type.String({ pattern: TENANT })),
  },
  closed,
);

export type SourceRule = Readonly<Static<typeof Rule>>;
export type SourceTime = NonNullable<SourceRule['time']>;

export const SourceRules = Type.Unsafe<readonly SourceRule[]>(Type.Array(Rule, { maxItems: 1000 }));

/** `{`, a name, `}`; a brace that stands alone is none of a template's. */
export const TAG_FIELD = /\{([^{}]*)\}/g;

/** What is wrong with the rules, a sentence each, beside what their schema finds. `own`: topics of Sluice. */
export function sourceMistakes(rules: readonly SourceRule[], own: readonly string[]): string[] {
  const topics = new Set<string>();
  return rules.flatMap((rule, i) => mistakesOf(rule, own, topics).map((mistake) => `kafka.sources.${i}: ${mistake}`));
}

function mistakesOf(rule: SourceRule, own: readonly string[], topics: Set<string>): string[] {
  const { topic, pattern, format, time, tag } = rule;
  const mistakes: string[] = [];
  if ((topic === undefined) === (pattern === undefined)) mistakes.push('give either a topic or a pattern');
  if (topic !== undefined && own.includes(topic)) mistakes.push(`topic ${topic} is one of Sluice's own`);
  // Who reads where groups commit writes there, for ever.
  if (topic?.startsWith('__') === true) mistakes.push(`topic ${topic} is one of the brokers' own`);
  if (topic !== undefined && topics.has(topic)) mistakes.push(`topic ${topic} has a rule already`);
  if (topic !== undefined) topics.add(topic);
  if (pattern !== undefined && patternOf(rule) === null) mistakes.push('its pattern is no regular expression');
  const hasFields = format === 'json' || format === 'ndjson';
  if (time !== undefined && !hasFields)
    mistakes.push(`a time of a field goes with json and ndjson, not with ${format}`);
  const template = tag?.replaceAll(TAG_FIELD, '') ?? '';
  if (/[{}]/.test(template)) mistakes.push('its tag has a brace without its other one');
  for (const [, name = ''] of (tag ?? '').matchAll(TAG_FIELD)) {
    if (name === '') mistakes.push('its tag has {} without a name');
    else if (format === 'text' && name !== 'topic' && name !== 'partition')
      mistakes.push(`its tag names {${name}}, and text has no fields`);
  }
  return mistakes;
}

/** Of each rule, made once: thousands of topics are looked at again and again. */
const patterns = new WeakMap<SourceRule, RegExp | null>();

/** Matches whole names; null where it is none. */
function patternOf(rule: SourceRule): RegExp | null {
  const known = patterns.get(rule);
  if (known !== undefined) return known;
  const made = rule.pattern === undefined ? null : expressionOf(rule.pattern);
  patterns.set(rule, made);
  return made;
}

function expressionOf(pattern: string): RegExp | null {
  try {
    return new RegExp(`^(?:${pattern})$`, 'u');
  } catch {
    return null;
  }
}

/**
 * The rule of a topic: one that names it, else the first whose pattern matches. Null for topics of Sluice, and for
 * those of brokers and their tools (`__consumer_offsets`), unless they are named.
 */
export function ruleOf(topic: string, rules: readonly SourceRule[], own: readonly string[]): SourceRule | null {
  if (own.includes(topic)) return null;
  const named = rules.find((rule) => rule.topic === topic);
  if (named) return named;
  if (topic.startsWith('_')) return null;
  return rules.find((rule) => patternOf(rule)?.test(topic)) ?? null;
}

/** The group that reads a topic of others: one each, so that none waits for another, and each has its own lag. */
export function groupOfSource(group: string, topic: string): string {
  return `${group}.${topic}`;
}
