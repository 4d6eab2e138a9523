// How the body of an HTTP request says that it is compressed.

import { SluiceError } from '#shared/errors.ts';
import type { Compression } from '#shared/record/compression.ts';

/** Content-Encoding; null for none. Throws encoding_unknown. */
export function compressionOf(contentEncoding: string | undefined): Compression | null {
  const name = (contentEncoding ?? '').trim().toLowerCase();
  switch (name) {
    case '':
    case 'identity':
      return null;
    case 'gzip':
    case 'x-gzip':
      return 'gzip';
    case 'deflate':
      return 'deflate';
    case 'zstd':
      return 'zstd';
    default:
      throw new SluiceError(
        'encoding_unknown',
        'Cannot read the body: its Content-Encoding is none of gzip, deflate, zstd',
      );
  }
}
