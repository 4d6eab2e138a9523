// What `sluice store sizes` prints. Pure.

import { oneLine } from '#shared/harmless.ts';
import type { OriginRow, StoreSummary } from '#shared/store/embedded/inspect/inspection.ts';
import { countText, sizeText } from '../output/progress-text.ts';
import { tableText } from '../search/table.ts';

export interface Sizes {
  readonly summary: StoreSummary;
  readonly origins: readonly OriginRow[];
  /** Origin → bytes on the disk. */
  readonly bytes: ReadonlyMap<number, number>;
  /** Of damaged blocks. */
  readonly unknownBytes: number;
  readonly bytesMax: number;
}

interface SizeRow {
  readonly stream: string;
  /** Of the container, else the service, else the tag; absent in sums of a stream. */
  readonly name?: string;
  documents: number;
  bytes: number;
}

/** The greatest first. */
function sizeRows({ origins, bytes }: Sizes): { streams: SizeRow[]; containers: SizeRow[] } {
  const streams = new Map<string, SizeRow>();
  const containers = new Map<string, SizeRow>();
  const add = (rows: Map<string, SizeRow>, key: string, row: SizeRow): void => {
    const sum = rows.get(key);
    if (sum === undefined) rows.set(key, row);
    else {
      sum.documents += row.documents;
      sum.bytes += row.bytes;
    }
  };
  for (const { origin, documents, stream, container, service, tag } of origins) {
    const name = container || service || tag;
    const own = { documents, bytes: bytes.get(origin) ?? 0 };
    add(streams, stream, { stream, ...own });
    add(containers, JSON.stringify([stream, name]), { stream, name, ...own });
  }
  const sorted = (rows: Map<string, SizeRow>): SizeRow[] =>
    [...rows.values()].toSorted((a, b) => b.bytes - a.bytes || b.documents - a.documents);
  return { streams: sorted(streams), containers: sorted(containers) };
}

export function sizesText(sizes: Sizes, containersMax: number): string {
  const { summary, bytesMax, unknownBytes } = sizes;
  const { documents, blocks, smallBlocks, oldDocuments, times, indexed, space } = summary;
  const all = space.usedBytes + space.freeBytes + space.walBytes;
  const { streams, containers } = sizeRows(sizes);
  const named = [...sizes.bytes.values()].reduce((sum, one) => sum + one, 0);
  const lines = [
    `Documents  ${countText(documents)} in ${countText(blocks)} blocks, ${countText(smallBlocks)} of them small`,
    ...(oldDocuments > 0 ? [`           ${countText(oldDocuments)} of an earlier version, which are converted`] : []),
    ...(times === null ? [] : [`Times      ${times[0]} to ${times[1]}`]),
    ...(indexed === null ? [] : [`Indexed    ${indexed[0]} to ${indexed[1]}`]),
    `Disk       ${sizeText(all)}, ${percentOf(all, bytesMax)} of at most ${sizeText(bytesMax)}: ` +
      `${sizeText(space.usedBytes)} in use, ${sizeText(space.freeBytes)} free, ${sizeText(space.walBytes)} of WAL`,
    `           of those in use, ${sizeText(Math.max(0, space.usedBytes - named - unknownBytes))} are names and tables`,
    ...(unknownBytes > 0 ? [`           ${sizeText(unknownBytes)} of damaged blocks; see sluice store verify`] : []),
  ];
  const shown = containers.slice(0, containersMax);
  const more = containers.length - shown.length;
  return `${lines.join('\n')}\n\n${rowsText(streams, named)}\n${rowsText(shown, named)}${
    more > 0 ? `(${countText(more)} more: -n all)\n` : ''
  }`;
}

export function sizesJson(sizes: Sizes): string {
  const { documents, blocks, smallBlocks, oldDocuments, times, indexed, space } = sizes.summary;
  const { streams, containers } = sizeRows(sizes);
  const rounded = (rows: readonly SizeRow[]) => rows.map((row) => ({ ...row, bytes: Math.round(row.bytes) }));
  return `${JSON.stringify({
    documents,
    blocks,
    small_blocks: smallBlocks,
    earlier_documents: oldDocuments,
    times,
    indexed,
    used_bytes: space.usedBytes,
    free_bytes: space.freeBytes,
    wal_bytes: space.walBytes,
    max_bytes: sizes.bytesMax,
    damaged_bytes: sizes.unknownBytes,
    streams: rounded(streams),
    containers: rounded(containers),
  })}\n`;
}

function rowsText(rows: readonly SizeRow[], all: number): string {
  const isNamed = rows.some(({ name }) => name !== undefined);
  const columns = ['documents', 'disk', 'share', 'stream', ...(isNamed ? ['container'] : [])];
  const disks = aligned(rows.map(({ bytes }) => sizeText(bytes)));
  const shares = aligned(rows.map(({ bytes }) => percentOf(bytes, all)));
  return tableText(
    columns,
    rows.map(({ documents, stream, name = '' }, i) => ({
      documents,
      disk: disks[i] ?? '',
      share: shares[i] ?? '',
      stream: oneLine(stream),
      container: name === '' ? '-' : oneLine(name),
    })),
    true,
  );
}

function aligned(texts: readonly string[]): string[] {
  const width = Math.max(0, ...texts.map(({ length }) => length));
  return texts.map((text) => text.padStart(width));
}

const percentOf = (part: number, all: number): string => `${all === 0 ? 0 : Math.round((part / all) * 100)} %`;
