// A figure of the benchmark as the line that a part prints, and the table that all of them make at the end.
//
//   NAME: 2400 k events of 310 bytes, 512.0 k events per CPU-second, 300.1 k/s, peak 161 MiB, ack p50 9.5 ms, p99 23.6 ms
//
// Parts are programs of their own (part.ts), so lines are all that they have in common; each can be run and read alone.

export interface Figure {
  readonly what: string;
  readonly perCpuSecond: number;
  /** Null where the part does not tell it. */
  readonly peakMib: number | null;
  /** Of the senders' acks; empty where there are none. */
  readonly latency: string;
}

export interface Measured {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMib: number;
  readonly latency: string;
}

/** What design.md asks of the first round, in events per CPU-second; two thirds of it come first. */
const FIRST: Readonly<Record<string, number>> = {
  'Forward packed → Kafka': 350_000,
  'Forward gzip → Kafka': 350_000,
  'Forward messages → Kafka': 200_000,
  '1,000 connections, one-event acks → Kafka': 150_000,
  'Kafka → counting _bulk': 220_000,
  'the whole path, 1 / (1 / packed + 1 / _bulk)': 130_000,
};

const LINE =
  /^\s*(?<what>.+?)(?: \(\d+ bytes[^)]*\))?: .*?(?<count>[\d.]+) (?<unit>[kM]) \w+(?: per CPU-second|\/CPU-s)/;

export function figureLine(what: string, measured: Measured): string {
  const { events, seconds, cpuSeconds, peakMib, latency } = measured;
  const perCpuSecond = `${thousands(events / cpuSeconds)} events per CPU-second`;
  const line = `${what}: ${thousands(events)} events, ${perCpuSecond}, ${thousands(events / seconds)}/s, peak ${peakMib.toFixed(0)} MiB`;
  return latency === '' ? line : `${line}, ack ${latency}`;
}

/** Null for lines that tell something else. */
export function readFigure(line: string): Figure | null {
  const { what, count, unit } = LINE.exec(line)?.groups ?? {};
  if (what === undefined) return null;
  return {
    what,
    perCpuSecond: Number(count) * (unit === 'M' ? 1e6 : 1e3),
    peakMib: Number(/peak (\d+) MiB/.exec(line)?.[1] ?? Number.NaN) || null,
    latency: /, ack (.*)$/.exec(line)?.[1] ?? '',
  };
}

/** With the row that two others make: what an event costs at the edge and in the indexer together. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(row);
  const speedOf = (what: string) => figures.find((figure) => figure.what === what)?.perCpuSecond;
  const [edge, indexer] = [speedOf('Forward packed → Kafka'), speedOf('Kafka → counting _bulk')];
  if (edge !== undefined && indexer !== undefined) {
    const perCpuSecond = 1 / (1 / edge + 1 / indexer);
    rows.push(row({ what: 'the whole path, 1 / (1 / packed + 1 / _bulk)', perCpuSecond, peakMib: null, latency: '' }));
  }
  const head = ['', 'events per CPU-second', '"first"', 'two thirds', '', 'peak memory', 'acks'];
  return markdown([head, ...rows]);
}

function row({ what, perCpuSecond, peakMib, latency }: Figure): string[] {
  const first = FIRST[what];
  const asked =
    first === undefined ? ['', '', ''] : [thousands(first), thousands((first * 2) / 3), verdict(perCpuSecond, first)];
  return [what, thousands(perCpuSecond), ...asked, peakMib === null ? '' : `${peakMib.toFixed(0)} MiB`, latency];
}

function verdict(speed: number, first: number): string {
  if (speed >= first) return 'first';
  return speed >= (first * 2) / 3 ? 'two thirds' : 'below';
}

function markdown(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((cells) => cells[column]?.length ?? 0)));
  const lines = rows.map((cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`);
  lines.splice(1, 0, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`);
  return lines.join('\n');
}

function thousands(value: number): string {
  return value < 9.95e6 ? `${(value / 1000).toFixed(value < 99_500 ? 1 : 0)} k` : `${(value / 1e6).toFixed(1)} M`;
}
