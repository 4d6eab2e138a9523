// What a file's path says of it: the tag of its lines, and, where rotation has renamed the file, the path that it had
// before. Pure.
//
//   /var/log/app.log.1  app.log.2.gz  app.log-20261122  app.log.2026-11-22.zst  app.log.old    all were app.log
//   /var/log/app-20261122.log.gz                                                             was app.log too

const COMPRESSED = /\.(?:gz|zst)$/;
const DATE = String.raw`\d{4}-?\d{2}-?\d{2}(?:[-_.T]?\d{2}(?:[-:]?\d{2}){0,2})?`;
const SUFFIX = new RegExp(String.raw`(?:\.\d{1,3}|[.-]${DATE}(?:\.\d{1,3})?|[.-]\d{10}|\.old)$`);
/** As logrotate's `extension` has it. */
const BEFORE_EXTENSION = new RegExp(String.raw`-(?:${DATE}|\d{10})(?:\.\d{1,3})?(\.[A-Za-z]{1,8})$`);

const TAG_BYTES_MAX = 1024;
const SHOWN_BYTES_MAX = 1024;

export type Compression = 'gzip' | 'zstd';

export function compressionOf(path: string): Compression | null {
  if (path.endsWith('.gz')) return 'gzip';
  return path.endsWith('.zst') ? 'zstd' : null;
}

/** What the file was called before it was compressed; the path itself where its name shows none. */
export function withoutCompression(path: string): string {
  return path.replace(COMPRESSED, '');
}

/**
 * The paths that a file may have had before it was rotated and compressed, the likeliest first; none where the name
 * shows no rotation. Whether it was one of them is for its neighbours to show.
 */
export function pathsBeforeRotation(path: string): readonly string[] {
  const plain = withoutCompression(path);
  const before = [plain.replace(SUFFIX, ''), plain.replace(BEFORE_EXTENSION, '$1')].filter((one) => one !== plain);
  return [...new Set([...before, plain])].filter((one) => one !== path && !one.endsWith('/'));
}

const NUMBERED = /\.log\.([0-9]{1,3})(?:\.gz)?$/;
const DATED = /\.log\.([0-9]{8})-([0-9]{6})(?:\.gz)?$/;

/**
 * Less for what Docker (`x.log.2.gz`) or the kubelet (`0.log.20261122-101010`) rotated before; null where the name
 * does not say. Of files of the same source.
 */
export function rotationOrder(path: string): number | null {
  const [, number] = NUMBERED.exec(path) ?? [];
  if (number !== undefined) return -Number(number);
  const [, day, time] = DATED.exec(path) ?? [];
  return day === undefined ? null : Number(`${day}${time}`);
}

/** `file.` and the path with dots: /var/log/app.log has the tag file.var.log.app.log. At most 1 KiB of it, its end. */
export function tagOfPath(path: string): string {
  const dotted = path
    .split('/')
    .filter((name) => name !== '')
    .join('.');
  return `file.${endOf(dotted, TAG_BYTES_MAX - 'file.'.length)}`;
}

/** The path as each of its lines has it: at most 1 KiB of it, its end. */
export function shownPath(path: string): string {
  return endOf(path, SHOWN_BYTES_MAX);
}

function endOf(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text.toWellFormed());
  let from = Math.max(0, bytes.length - bytesMax);
  // A character that is cut at its beginning would be no UTF-8.
  while (from > 0 && (bytes[from] ?? 0) >>> 6 === 0b10) from += 1;
  return bytes.toString('utf8', from);
}
