// The dashboard of the indexers: the outcome of each event, the requests to the store, and the processes.

import { type Dashboard, HERE, RANGE, lines, quantiles, rate } from './panels.ts';

export const indexer: Dashboard = {
  uid: 'sluice-indexer',
  title: 'Sluice: indexer',
  about: 'From the queue to the store.',
  rows: [
    {
      title: 'Outcomes',
      panels: [
        lines(
          'Events',
          'eps',
          { about: 'Each consumed event has one outcome.' },
          ['indexed', rate('events_indexed_total')],
          ['deduplicated', rate('events_deduplicated_total')],
        ),
        lines('Dead letters', 'eps', { about: 'By reason.' }, [
          '{{reason}}',
          rate('events_dead_lettered_total', 'reason'),
        ]),
        lines('Abandoned', 'eps', { about: 'Left to be read again, by reason.', mayBeEmpty: true }, [
          '{{reason}}',
          rate('events_abandoned_total', 'reason'),
        ]),
      ],
    },
    {
      title: 'Store',
      panels: [
        quantiles('Bulk requests', 'bulk_seconds', 'From a request to its answer.'),
        lines('Items by status', 'eps', { about: '409 is a repeat; 429 is too much at once.' }, [
          '{{status}}',
          rate('bulk_items_total', 'status'),
        ]),
        lines('Failed requests', 'eps', { about: 'By reason; the same documents are sent again.', mayBeEmpty: true }, [
          '{{reason}}',
          rate('bulk_failures_total', 'reason'),
        ]),
        lines(
          'Requests in flight',
          'short',
          { about: 'And how many may be.' },
          ['in flight', `sum(sluice_bulk_inflight{${HERE}})`],
          ['limit', `sum(sluice_bulk_concurrency_limit{${HERE}})`],
        ),
        quantiles(
          'Received to indexed',
          'receive_to_indexed_seconds',
          'With exemplars: partition and offset of slow batches.',
        ),
        lines('Rebalances', 'short', { about: 'Assignments that were lost, in ten minutes.' }, [
          '{{instance}}',
          `increase(sluice_rebalances_total{${HERE}}[10m])`,
        ]),
      ],
    },
    {
      title: 'Logs',
      panels: [
        lines('Events by level', 'eps', { about: 'Of the documents that were made.' }, [
          '{{level}}',
          rate('events_by_level_total', 'level'),
        ]),
        lines(
          'Share of errors',
          'percentunit',
          { about: 'Of all events: those of the levels error, critical, alert and emergency.' },
          ['now', `sluice:error_events:ratio_rate10m{${HERE}}`],
          ['two hours before', `sluice:error_events:ratio_rate2h{${HERE}}`],
        ),
        lines('Sources', 'short', { about: 'Silent: heard regularly, and not for ten minutes.' }, [
          '{{state}}',
          `sum by (state) (sluice_sources{${HERE}})`,
        ]),
      ],
    },
    {
      title: 'Processes',
      panels: [
        lines('Processor', 'percentunit', { about: 'Processor time a second.' }, [
          '{{instance}}',
          `rate(process_cpu_seconds_total{job=~"sluice.*",${HERE}}[${RANGE}])`,
        ]),
        lines('Memory', 'bytes', { about: 'Resident.' }, [
          '{{instance}}',
          `process_resident_memory_bytes{job=~"sluice.*",${HERE}}`,
        ]),
        lines('Event-loop delay', 's', { about: 'p99.' }, [
          '{{instance}}',
          `nodejs_eventloop_lag_p99_seconds{job=~"sluice.*",${HERE}}`,
        ]),
      ],
    },
  ],
};
