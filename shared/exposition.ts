// Metrics as Prometheus reads them, in either of its two text forms. Pure.
// https://prometheus.io/docs/instrumenting/exposition_formats/ and
// https://prometheus.io/docs/specs/om/open_metrics_spec/
//
//   # HELP sluice_bulk_seconds Time from a bulk request to its answer.
//   # TYPE sluice_bulk_seconds histogram
//   sluice_bulk_seconds_bucket{le="0.1"} 17 # {partition="3",offset="90"} 0.08 1767323045.678
//
// OpenMetrics differs in three things: a counter's family has no `_total`, buckets may have exemplars, and the end is
// marked.

export type MetricType = 'counter' | 'gauge' | 'histogram' | 'summary';

export interface Sample {
  /** The family's name, with a suffix such as `_bucket` where the type has some. */
  readonly name: string;
  /** Made by `labelText`. */
  readonly labels: string;
  readonly value: number;
  readonly exemplar?: Exemplar | undefined;
}

/** One observation that stands for others of its bucket. */
export interface Exemplar {
  readonly labels: string;
  readonly value: number;
  /** Ms since the epoch. */
  readonly atMs: number;
}

export interface Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly samples: Iterable<Sample>;
}

/** Samples that are there, not made while they are read. */
export interface HeldFamily extends Family {
  readonly samples: readonly Sample[];
}

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

export interface Exposition {
  readonly contentType: string;
  readonly body: string;
}

/** `accept`: the header of the scraper; OpenMetrics is given to those who name it. */
export function exposition(families: Iterable<Family>, accept: string): Exposition {
  const isOpen = /application\/openmetrics-text(?!;q=0(?:\.0*)?(?:,|$))/.test(accept);
  let body = '';
  for (const { name, type, help, samples } of families) {
    const familyName = isOpen && type === 'counter' ? name.replace(/_total$/, '') : name;
    body += `# HELP ${familyName} ${escapedHelp(help)}\n# TYPE ${familyName} ${type}\n`;
    for (const { name: sampleName, labels, value, exemplar } of samples) {
      body += `${sampleName}${labels} ${numberText(value)}`;
      if (isOpen && exemplar)
        body += ` # ${exemplar.labels || '{}'} ${numberText(exemplar.value)} ${exemplar.atMs / 1000}`;
      body += '\n';
    }
  }
  return isOpen ? { contentType: OPEN_METRICS, body: `${body}# EOF\n` } : { contentType: TEXT, body };
}

/** `{a="x",b="y"}`, or nothing where there are no names. */
export function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  let text = '';
  for (let i = 0; i < names.length; i++) {
    text += `${i === 0 ? '{' : ','}${names[i] ?? ''}="${escapedLabel(values[i] ?? '')}"`;
  }
  return `${text}}`;
}

export function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function escapedLabel(value: string): string {
  return /["\\\n]/.test(value) ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n') : value;
}

function escapedHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
