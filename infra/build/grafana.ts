// Makes Grafana's JSON of the tables in infra/grafana/. A test holds the files to it.

import { dashboards } from '../grafana/dashboards.ts';
import type { Dashboard, Panel, Unit } from '../grafana/panels.ts';

const COLUMNS = 24;
const UNITS: Readonly<Record<Unit, string>> = {
  eps: 'short',
  Bps: 'Bps',
  s: 's',
  short: 'short',
  bytes: 'bytes',
  percentunit: 'percentunit',
  bool: 'bool_on_off',
};
const SOURCE = { type: 'prometheus', uid: '${datasource}' };

/** File → content. */
export function dashboardFiles(): Map<string, string> {
  return new Map(
    dashboards.map((dashboard) => [
      `infra/grafana/dashboards/${dashboard.uid}.json`,
      `${JSON.stringify(jsonOf(dashboard), null, 2)}\n`,
    ]),
  );
}

function jsonOf({ uid, title, about, rows, tenants }: Dashboard): object {
  const panels: object[] = [];
  let y = 0;
  for (const row of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y++;
    let x = 0;
    let height = 0;
    for (const panel of row.panels) {
      const size = panel.kind === 'number' ? 4 : 8;
      if (x + size > COLUMNS) {
        x = 0;
        y += height;
      }
      panels.push({ id: panels.length + 1, ...panelJson(panel), gridPos: { x, y, w: size, h: size } });
      x += size;
      height = size;
    }
    y += height;
  }
  return {
    uid,
    title,
    description: about,
    tags: ['sluice'],
    schemaVersion: 39,
    editable: false,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    links: [
      { type: 'dashboards', tags: ['sluice'], title: 'Sluice', asDropdown: true, keepTime: true, includeVars: true },
    ],
    templating: { list: variables(tenants ?? false) },
    panels,
  };
}

function panelJson({ title, about, kind, unit, queries, badAboveZero }: Panel): object {
  const bad = badAboveZero ? [{ color: 'red', value: Number.MIN_VALUE }] : [];
  return {
    type: kind === 'number' ? 'stat' : 'timeseries',
    title,
    description: about,
    datasource: SOURCE,
    fieldConfig: {
      defaults: {
        unit: UNITS[unit],
        min: 0,
        thresholds: { mode: 'absolute', steps: [{ color: 'green', value: null }, ...bad] },
        custom: kind === 'number' ? {} : { fillOpacity: 10, showPoints: 'never' },
      },
      overrides: [],
    },
    options:
      kind === 'number'
        ? {
            reduceOptions: { calcs: ['lastNotNull'] },
            graphMode: 'area',
            colorMode: badAboveZero ? 'background' : 'value',
          }
        : { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
    targets: queries.map(({ expr, legend }, i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
      exemplar: expr.includes('_bucket'),
    })),
  };
}

function variables(tenants: boolean): object[] {
  const ofLabel = (name: string, metric: string) => ({
    name,
    type: 'query',
    datasource: SOURCE,
    query: { query: `label_values(${metric}, ${name})`, refId: name },
    refresh: 2,
    includeAll: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
  });
  return [
    { name: 'datasource', type: 'datasource', query: 'prometheus' },
    ofLabel('namespace', 'sluice_build_info'),
    ...(tenants ? [ofLabel('tenant', 'sluice_tenant_events_received_total')] : []),
  ];
}
