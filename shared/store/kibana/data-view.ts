// The data view by which Kibana shows what Sluice keeps: as its API takes it, and as a file that can be imported
// (infra/kibana). Both are made of the one object below. Pure.
//
// Kibana must not be asked for indices first: set-up runs before the first document.

import { STREAM_PATTERNS } from '../elasticsearch/template.ts';

export const DATA_VIEW_ID = 'sluice-logs';

const view = {
  title: STREAM_PATTERNS.join(','),
  name: 'Sluice logs',
  timeFieldName: '@timestamp',
  allowNoIndex: true,
};

/** The body of `POST /api/data_views/data_view`. */
export function dataViewBody(): string {
  return JSON.stringify({ data_view: { id: DATA_VIEW_ID, ...view } });
}

/** An export of saved objects with the data view alone, for Kibana 8.8 and newer. */
export function savedObjects(): string {
  const object = {
    attributes: view,
    coreMigrationVersion: '8.8.0',
    id: DATA_VIEW_ID,
    managed: false,
    references: [],
    type: 'index-pattern',
    typeMigrationVersion: '8.0.0',
  };
  return `${JSON.stringify(object)}\n`;
}
