// What `sluice import` and the Sluice that has the data folder say to each other, over a unix socket in that folder:
// lines of JSON, one of the request, any number of progress, one of the end. Whoever can use the socket could read the
// data folder too.
//
//   > {"paths": ["/var/log/app.log"], "tag": "app"}
//   < {"progress": [{"path": …, "lines": 4096, …}]}
//   < {"files": [{…}]}      or      {"error": "Cannot …"}

import { join } from 'node:path';
import type { ImportedFile, ImportRequest } from './file-imports.ts';

export type ImportAnswer =
  | { readonly progress: readonly ImportedFile[] }
  | { readonly files: readonly ImportedFile[] }
  | { readonly error: string };

export function importSocket(dataDir: string): string {
  return join(dataDir, 'collect', 'import.sock');
}

/** Null where the line is no request. */
export function parseImportRequest(line: string): ImportRequest | null {
  try {
    const { paths, tag, encoding } = JSON.parse(line) as Partial<Record<keyof ImportRequest, unknown>>;
    const isText = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string';
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string' && path.startsWith('/'))) return null;
    return isText(tag) && isText(encoding) ? { paths: paths as string[], tag, encoding } : null;
  } catch {
    return null;
  }
}
