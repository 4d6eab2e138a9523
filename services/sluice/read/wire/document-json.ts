// Documents as JSON on one line. A store that has them so need not parse them, and nobody makes the same text again.

import type { StoredDocument } from '#shared/store/store.ts';

/** Its fields alone. */
export function fieldsJson(document: StoredDocument): string {
  return document.text ?? JSON.stringify(document.source);
}

/** As RemoteStore reads it. */
export function documentJson(document: StoredDocument): string {
  const { id, index, sort } = document;
  return `${JSON.stringify({ id, index, sort }).slice(0, -1)},"source":${fieldsJson(document)}}`;
}
