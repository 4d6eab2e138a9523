// For whom an admitted connection or request speaks, however it was authenticated (certificate, shared key and user,
// token, network), and which tags it may use. The tenant goes with every chunk into the document.

import { SluiceError } from '#shared/errors.ts';
import { matchesGlob } from '#shared/glob.ts';
import { TAG_BYTES_MAX } from '#shared/record/record.ts';

export interface Principal {
  /** Null: none was named; documents show the default tenant. */
  readonly tenant: string | null;
  /** Put before every tag of this sender; empty for none. */
  readonly tagPrefix: string;
  /** Patterns (`*` for any run of characters) that a tag, with its prefix, must match one of; null: any. */
  readonly tags: readonly string[] | null;
}

/** What a user or token grants its holder; null: as the certificate or the network says. */
export interface Grant {
  readonly tenant: string | null;
  readonly tagPrefix: string | null;
  readonly tags: readonly string[] | null;
}

/** A sender of whom nothing is known. */
export const ANYONE: Principal = { tenant: null, tagPrefix: '', tags: null };

/**
 * The tag under which this sender's events go on. Throws tag_refused; tag_invalid where the prefix makes it too long.
 */
export function allowedTag({ tagPrefix, tags }: Principal, tag: string): string {
  const full = tagPrefix + tag;
  if (tagPrefix !== '' && Buffer.byteLength(full) > TAG_BYTES_MAX) {
    throw new SluiceError('tag_invalid', `Cannot take events: with its prefix the tag is over ${TAG_BYTES_MAX} bytes`);
  }
  if (tags === null || tags.some((pattern) => matchesGlob(pattern, full))) return full;
  throw new SluiceError('tag_refused', 'Cannot take events: this sender may not use their tag');
}
