// What may stand behind the bars of a query, made at random from the fields of generated-queries.ts: counts, measures,
// the first of something, orders and columns, also of what no document has, and now and then wrong.

import fc from 'fast-check';

const groupField = fc.constantFrom(
  'level', 'log.level', 'container', 'stream', 'service.name', 'status', 'took', 'user', 'http.method', 'größe',
  'client.ip', 'url.path', 'attributes.took.method', '"odd key"', 'kubernetes.labels.app', 'error.message', 'message',
  'nothing', 'attributes.level', 'request_id', 'count',
); // prettier-ignore
const measuredField = fc.constantFrom('status', 'took', 'user', 'http.method', 'event.sequence', 'nothing', 'level');
const span = fc.constantFrom('1h', '90m', '7h', '1d', '5s');
const measure = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom('count', 'count()') },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('count', 'sum', 'avg', 'min', 'max', 'uniq', 'p50', 'p99', 'p12.5', 'p100'), measuredField)
      .map(([name, field]) => `${name}(${field})`),
  },
);

const listOf = (item: fc.Arbitrary<string>, maxLength: number): fc.Arbitrary<string> =>
  fc.uniqueArray(item, { minLength: 1, maxLength }).map((items) => items.join(', '));
const maybe = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant('') }, { weight: 3, arbitrary: item });
const head = fc.constantFrom(0, 1, 3, 10, 100).map((count) => `head ${count}`);

/** `-a`, `a desc`, `a asc`, and now and then a column that is not there. */
function sortOf(columns: readonly string[]): fc.Arbitrary<string> {
  const key = fc
    .tuple(fc.constantFrom('', '', '-'), fc.constantFrom(...columns), fc.constantFrom('', '', ' desc', ' asc'))
    .map(([minus, column, way]) => (column.startsWith('"') ? `${column}${way}` : `${minus}${column}${way}`));
  return fc.tuple(fc.constantFrom('', 'by '), listOf(key, 2)).map(([by, keys]) => `sort ${by}${keys}`);
}

function behind(columns: readonly string[], some = ['nothing']): fc.Arbitrary<string> {
  const wrong = fc.constantFrom(...some);
  const stage = fc.oneof(
    { weight: 3, arbitrary: sortOf(columns) },
    { weight: 3, arbitrary: head },
    { weight: 2, arbitrary: listOf(fc.constantFrom(...columns), 3).map((names) => `fields ${names}`) },
    { weight: 1, arbitrary: wrong.map((name) => `sort -${name}`) },
  );
  return fc.array(stage, { maxLength: 3 }).map((all) => all.map((one) => ` | ${one}`).join(''));
}

const groups = listOf(groupField, 3);
const by = fc.oneof(
  groups,
  span,
  fc.tuple(groups, span).map(([fields, every]) => `${fields}, ${every}`),
);

const counted = fc.tuple(maybe(by)).chain(([names]) => {
  const columns = [...names.split(', ').filter((name) => name !== '' && !/^\d/.test(name)), 'count'];
  return behind(columns).map((rest) => `count${names === '' ? '' : ` by ${names}`}${rest}`);
});
const top = fc
  .tuple(fc.constantFrom('', '1 ', '3 ', '100 '), groups)
  .chain(([count, fields]) => behind([...fields.split(', '), 'count']).map((rest) => `top ${count}${fields}${rest}`));
const stats = fc
  .tuple(listOf(measure, 3), maybe(by))
  .chain(([measures, names]) =>
    behind(measures.split(', ').map((one) => (one === 'count()' ? 'count' : one))).map(
      (rest) => `stats ${measures}${names === '' ? '' : ` by ${names}`}${rest}`,
    ),
  );
const ofDocuments = behind(
  ['status', 'took', 'user', '@timestamp', 'event.sequence', 'level', 'message', 'http.method', '"odd key"'],
  ['nothing', 'attributes.took.b'],
).filter((text) => text !== '');

/** With what comes before it: ` | count by level`. */
export const stages: fc.Arbitrary<string> = fc.oneof(
  { weight: 2, arbitrary: counted.map((text) => ` | ${text}`) },
  { weight: 1, arbitrary: top.map((text) => ` | ${text}`) },
  { weight: 2, arbitrary: stats.map((text) => ` | ${text}`) },
  { weight: 2, arbitrary: ofDocuments },
);
