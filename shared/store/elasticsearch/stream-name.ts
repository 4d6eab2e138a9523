// Names of data streams that an operator may give. Pure.

import { matchesGlob } from '#shared/glob.ts';
import { STREAM_PATTERNS } from './template.ts';

const BYTES_MAX = 255;
/** What Elasticsearch takes in a name, and no letter that means something in an expression. */
const ALLOWED = /^[a-z0-9][a-z0-9._-]*$/;

/** Why documents cannot go to a data stream of this name; null where they can. */
export function streamNameFault(name: string): string | null {
  if (name.length > BYTES_MAX) return `it has more than ${BYTES_MAX} letters`;
  if (!ALLOWED.test(name)) return 'a name has lower-case letters, digits, ".", "_" and "-"';
  if (!STREAM_PATTERNS.some((pattern) => matchesGlob(pattern, name)) || name.endsWith('-'))
    return `the template covers ${STREAM_PATTERNS.join(' and ')}; name it such as logs-sluice-again`;
  return null;
}
