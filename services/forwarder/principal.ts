// Who a connection or a request speaks for, once it has been let in: what all inputs ask of authentication, however it was done
// (certificate, shared key and user, token, network). The tenant goes with every chunk into the document.

import { SluiceError } from '#shared/errors.ts';

export interface Principal {
  /** Null: nobody named one, which documents show as the default tenant. */
  readonly tenant: string | null;
  /** Put before every tag of this sender; empty for none. */
  readonly tagPrefix: string;
  /** Patterns (`*` for any run of characters) that a tag, with its prefix, must match one of; null: any. */
  readonly tags: readonly string[] | null;
}

/** A sender of whom nothing is known. */
export const ANYONE: Principal = { tenant: null, tagPrefix: '', tags: null };

/** The tag under which this sender's events go on. Throws tag_refused. */
export function tagOfPrincipal({ tagPrefix, tags }: Principal, tag: string): string {
  const full = tagPrefix + tag;
  if (tags === null || tags.some((pattern) => matchesTag(pattern, full))) return full;
  throw new SluiceError('tag_refused', 'Cannot take events: this sender may not use their tag');
}

/** Whether the whole tag fits the pattern. Takes time in proportion to both lengths, whatever they say. */
export function matchesTag(pattern: string, tag: string): boolean {
  const pieces = pattern.split('*');
  const first = pieces[0] ?? '';
  if (pieces.length === 1) return tag === first;
  const last = pieces.at(-1) ?? '';
  if (!tag.startsWith(first) || !tag.endsWith(last) || tag.length < first.length + last.length) return false;
  let at = first.length;
  const end = tag.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = tag.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
