// The tag that a request's path names: `/app.web` → `app.web`, `/app/web` → `app.web` as fluentd's in_http has it.
// Percent signs are decoded after the path is split, so `/a%2Fb` is the tag `a/b`. Paths of the other HTTP dialects are
// no tags.

import { TAG_BYTES_MAX } from '#shared/record/record.ts';
import { percentDecoded } from './http-form.ts';

export type TagOfPath =
  | { readonly kind: 'tag'; readonly tag: string }
  | { readonly kind: 'path_unknown' | 'tag_invalid'; readonly why: string };

const RESERVED = ['_', 'v1/', 'services/', 'loki/'];
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `path`: from the slash on, without the query, each character a byte (as Node gives it). */
export function tagOfPath(path: string): TagOfPath {
  if (!path.startsWith('/')) return { kind: 'path_unknown', why: 'the path has to begin with a slash' };
  let end = path.length;
  while (end > 1 && path[end - 1] === '/') end -= 1;
  const decoded = decodedText(path.slice(1, end));
  const tag = decodedText(path.slice(1, end).replaceAll('/', '.'));
  if (decoded === null || tag === null) return { kind: 'tag_invalid', why: 'the tag in the path is not valid UTF-8' };
  const reserved = RESERVED.find((prefix) => decoded.startsWith(prefix));
  if (reserved !== undefined) {
    return { kind: 'path_unknown', why: `there is no such input, and no tag may begin with "${reserved}"` };
  }
  if (tag.length === 0) return { kind: 'tag_invalid', why: 'the path has to name a tag, such as /app.web' };
  return bounded(tag);
}

/** The tag in a header, each character of which is a byte (as Node gives it). */
export function tagOfHeader(header: string): TagOfPath {
  const tag = decodedText(header);
  if (tag === null) return { kind: 'tag_invalid', why: 'the tag in the header is not valid UTF-8' };
  if (tag.length === 0) return { kind: 'tag_invalid', why: 'the tag in the header is empty' };
  return bounded(tag);
}

function bounded(tag: string): TagOfPath {
  return Buffer.byteLength(tag) > TAG_BYTES_MAX
    ? { kind: 'tag_invalid', why: `the tag is longer than ${TAG_BYTES_MAX} bytes` }
    : { kind: 'tag', tag };
}

function decodedText(latin1: string): string | null {
  try {
    return utf8.decode(percentDecoded(Buffer.from(latin1, 'latin1'), { plusIsSpace: false }));
  } catch {
    return null;
  }
}
