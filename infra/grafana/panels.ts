// What a panel of a dashboard is, and the expressions that many panels share. A panel is a title, a unit and its
// queries; infra/build/grafana.ts makes Grafana's JSON of it.

export type Unit = 'eps' | 'Bps' | 's' | 'short' | 'bytes' | 'percentunit' | 'bool';

interface Query {
  readonly expr: string;
  /** Grafana's template for the name of a line, such as `{{reason}}`. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  /** Shown when the pointer rests on the title. */
  readonly about: string;
  readonly kind: 'lines' | 'number';
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Nothing to show is no fault: what the queries look at is not in every installation, or did not happen. */
  readonly mayBeEmpty?: boolean;
  /** A value above 0 is red. */
  readonly badAboveZero?: boolean;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  readonly tenants?: boolean;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

export const HERE = 'namespace=~"$namespace"';
export const RANGE = '$__rate_interval';

/** Rate of a counter, summed over everything but the given labels. */
export const rate = (metric: string, by = '', more = ''): string =>
  `sum${by && ` by (${by})`} (rate(sluice_${metric}{${HERE}${more && `,${more}`}}[${RANGE}]))`;
const quantile = (q: number, metric: string): string =>
  `histogram_quantile(${q}, sum by (le) (rate(sluice_${metric}_bucket{${HERE}}[${RANGE}])))`;

type Facts = Omit<Panel, 'title' | 'kind' | 'unit' | 'queries'>;
export const lines = (
  title: string,
  unit: Unit,
  facts: Facts,
  ...queries: readonly (readonly [string, string])[]
): Panel => ({
  title,
  unit,
  kind: 'lines',
  ...facts,
  queries: queries.map(([legend, expr]) => ({ legend, expr })),
});
export const number = (title: string, unit: Unit, expr: string, facts: Facts): Panel => ({
  title,
  unit,
  kind: 'number',
  ...facts,
  queries: [{ legend: title, expr }],
});
export const quantiles = (title: string, metric: string, about: string): Panel =>
  lines(title, 's', { about }, ['p50', quantile(0.5, metric)], ['p99', quantile(0.99, metric)]);
