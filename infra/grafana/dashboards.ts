// What the dashboards show, as a table: a panel is a title, a unit and its queries. infra/build/grafana.ts makes
// Grafana's JSON of it. A test runs every query against a real Prometheus that watched a real run; those that may find
// nothing in a healthy one say so.

export type Unit = 'eps' | 'Bps' | 's' | 'short' | 'bytes' | 'percentunit' | 'bool';

interface Query {
  readonly expr: string;
  /** Grafana's template for the name of a line, such as `{{reason}}`. */
  readonly legend: string;
}

export interface Panel {
  readonly title: string;
  /** Shown when the pointer rests on the title. */
  readonly about: string;
  readonly kind: 'lines' | 'number';
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** Nothing to show is no fault: what the queries look at is not in every installation, or did not happen. */
  readonly mayBeEmpty?: boolean;
  /** A value above 0 is red. */
  readonly badAboveZero?: boolean;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  readonly tenants?: boolean;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

const HERE = 'namespace=~"$namespace"';
const RANGE = '$__rate_interval';

/** Rate of a counter, summed over everything but the given labels. */
const rate = (metric: string, by = '', more = ''): string =>
  `sum${by && ` by (${by})`} (rate(sluice_${metric}{${HERE}${more && `,${more}`}}[${RANGE}]))`;
const quantile = (q: number, metric: string): string =>
  `histogram_quantile(${q}, sum by (le) (rate(sluice_${metric}_bucket{${HERE}}[${RANGE}])))`;

type Facts = Omit<Panel, 'title' | 'kind' | 'unit' | 'queries'>;
const lines = (title: string, unit: Unit, facts: Facts, ...queries: readonly (readonly [string, string])[]): Panel => ({
  title,
  unit,
  kind: 'lines',
  ...facts,
  queries: queries.map(([legend, expr]) => ({ legend, expr })),
});
const number = (title: string, unit: Unit, expr: string, facts: Facts): Panel => ({
  title,
  unit,
  kind: 'number',
  ...facts,
  queries: [{ legend: title, expr }],
});
const quantiles = (title: string, metric: string, about: string): Panel =>
  lines(title, 's', { about }, ['p50', quantile(0.5, metric)], ['p99', quantile(0.99, metric)]);

const LAG_SECONDS = `max(sluice:lag_seconds:max{${HERE}})`;
const LAG_RECORDS = `sum(sluice:lag_records:sum{${HERE}})`;

export const dashboards: readonly Dashboard[] = [
  {
    uid: 'sluice-overview',
    title: 'Sluice: overview',
    about: 'The ledger as a flow: what comes in, where it waits, and where it went.',
    rows: [
      {
        title:
          'The flow of events, per second: received = produced + rejected + dropped; consumed = indexed + deduplicated + dead letters + abandoned',
        panels: [
          number('Received', 'eps', rate('events_received_total'), { about: 'Taken from senders, all inputs.' }),
          number('Produced', 'eps', rate('events_produced_total'), {
            about: 'Held durably by the queue, and acknowledged.',
          }),
          number('Rejected', 'eps', rate('events_rejected_total'), {
            about: 'Refused; senders try again.',
            mayBeEmpty: true,
            badAboveZero: true,
          }),
          number('Dropped', 'eps', rate('events_dropped_total'), {
            about: 'Given up.',
            mayBeEmpty: true,
            badAboveZero: true,
          }),
          number('Waiting records', 'short', LAG_RECORDS, { about: 'Records of the queue that are not indexed yet.' }),
          number('Consumed', 'eps', rate('events_consumed_total'), { about: 'Taken from the queue.' }),
          number('Indexed', 'eps', rate('events_indexed_total'), { about: 'Taken by the store.' }),
          number('Deduplicated', 'eps', rate('events_deduplicated_total'), { about: 'The store had them already.' }),
          number('Dead letters', 'eps', rate('events_dead_lettered_total'), {
            about: 'Can never be indexed; kept.',
            badAboveZero: true,
          }),
          number('Unaccounted', 'short', `sum(abs(sluice_ledger_imbalance{${HERE}}))`, {
            about: 'What the ledger cannot account for; always 0.',
            badAboveZero: true,
          }),
        ],
      },
      {
        title: 'How late',
        panels: [
          lines(
            'Lag',
            's',
            { about: 'Age of the oldest record that is not indexed, and the objective.' },
            ['lag', LAG_SECONDS],
            ['objective', 'sluice:objective_lag_seconds'],
          ),
          lines(
            'Budget of lateness',
            'short',
            { about: 'How many times faster than allowed the budget is used up; above 14.4 in an hour it alerts.' },
            ['1h', `max(sluice:lag_late:burnrate1h{${HERE}})`],
            ['6h', `max(sluice:lag_late:burnrate6h{${HERE}})`],
          ),
          quantiles(
            'Received to indexed',
            'receive_to_indexed_seconds',
            'From the receipt at the edge to the answer of the store.',
          ),
        ],
      },
      {
        title: 'In and out',
        panels: [
          lines(
            'Events',
            'eps',
            { about: 'Both ends of the pipeline.' },
            ['received', rate('events_received_total')],
            ['produced', rate('events_produced_total')],
            ['indexed', rate('events_indexed_total')],
          ),
          lines(
            'Up',
            'bool',
            { about: 'Whether the queue and the store take what they are given.' },
            ['queue', `min(sluice_queue_up{${HERE}})`],
            ['store', `max(sluice_store_up{${HERE}})`],
          ),
          lines('In flight', 'short', { about: 'Events in hand, by stage.' }, [
            '{{stage}}',
            `sum by (stage) (sluice_events_inflight{${HERE}})`,
          ]),
        ],
      },
    ],
  },
  {
    uid: 'sluice-edge',
    title: 'Sluice: edge',
    about: 'Forwarders: what senders send, and what they get to hear.',
    rows: [
      {
        title: 'Senders',
        panels: [
          lines('Events', 'eps', { about: 'By input.' }, ['{{input}}', rate('events_received_total', 'input')]),
          lines('Bytes', 'Bps', { about: 'As they were sent, by input.' }, [
            '{{input}}',
            rate('bytes_received_total', 'input'),
          ]),
          lines('Connections', 'short', { about: 'Open now, by input.' }, [
            '{{input}}',
            `sum by (input) (sluice_connections{${HERE}})`,
          ]),
        ],
      },
      {
        title: 'Answers',
        panels: [
          quantiles('Acknowledgements', 'ack_seconds', 'From a chunk in hand to its answer.'),
          lines('Rejected events', 'eps', { about: 'By reason; senders try again.', mayBeEmpty: true }, [
            '{{reason}}',
            rate('events_rejected_total', 'reason'),
          ]),
          lines(
            'Rejected chunks',
            'eps',
            { about: 'Frames and bodies that could not be taken as events.', mayBeEmpty: true },
            ['{{input}} {{reason}}', rate('chunks_rejected_total', 'input, reason')],
          ),
          lines('Failed authentication', 'eps', { about: 'By input and reason.', mayBeEmpty: true }, [
            '{{input}} {{reason}}',
            rate('auth_failures_total', 'input, reason'),
          ]),
          lines(
            'Dropped',
            'eps',
            { about: 'Given up, and datagrams that the kernel dropped.', mayBeEmpty: true },
            ['{{stage}} {{reason}}', rate('events_dropped_total', 'stage, reason')],
            ['datagrams {{input}}', rate('udp_receive_drops_total', 'input')],
          ),
          lines('Certificates expire in', 's', { about: 'Of each listener.', mayBeEmpty: true }, [
            '{{listener}}',
            `min by (listener) (sluice_tls_certificate_expiry_seconds{${HERE}}) - time()`,
          ]),
        ],
      },
      {
        title: 'Forwarders',
        panels: [
          lines('Bytes in hand', 'bytes', { about: 'At the limit reading stops.' }, [
            '{{instance}}',
            `sum by (instance) (sluice_intake_bytes{${HERE}})`,
          ]),
          lines('Spool', 'percentunit', { about: 'How full, by forwarder.', mayBeEmpty: true }, [
            '{{instance}}',
            `sum by (instance) (sluice_spool_bytes{${HERE}}) / sum by (instance) (sluice_spool_limit_bytes{${HERE}})`,
          ]),
          lines('Event-loop delay', 's', { about: 'p99, by process.' }, [
            '{{instance}}',
            `max by (instance) (nodejs_eventloop_lag_p99_seconds{job=~"sluice.*",${HERE}})`,
          ]),
        ],
      },
    ],
  },
  {
    uid: 'sluice-queue',
    title: 'Sluice: queue',
    about: 'The lag of the indexers, from the queue alone where the exporter runs.',
    rows: [
      {
        title: 'Lag',
        panels: [
          lines('Seconds', 's', { about: 'Age of the oldest record that is not committed.' }, [
            '{{topic}}',
            `max by (topic) (sluice:lag_seconds:max{${HERE}})`,
          ]),
          lines('Records', 'short', { about: 'Records that are not committed.' }, [
            '{{topic}}',
            `sum by (topic) (sluice:lag_records:sum{${HERE}})`,
          ]),
          lines(
            'Time to drain',
            's',
            { about: 'At the present rate; nothing where the lag does not shrink.', mayBeEmpty: true },
            ['{{group}}', `max by (group) (sluice_group_drain_seconds{${HERE}}) < +Inf`],
          ),
          lines(
            'Share of the retention',
            'percentunit',
            { about: 'At 100 % logs are deleted that nobody has indexed.', mayBeEmpty: true },
            ['{{topic}}', `max by (topic) (sluice:lag_retention:ratio{${HERE}})`],
          ),
          lines('By partition', 's', { about: 'The ten that are the most late.' }, [
            '{{partition}}',
            `topk(10, max by (partition) (sluice_group_lag_seconds{${HERE}} or sluice_indexer_oldest_uncommitted_seconds{${HERE}}))`,
          ]),
          lines(
            'Members',
            'short',
            { about: 'Indexers in the group, and partitions that each has.' },
            ['members', `max(sluice_group_members{${HERE}}) or count(sluice_indexer_partitions{${HERE}} > 0)`],
            ['partitions of {{instance}}', `sluice_indexer_partitions{${HERE}}`],
          ),
        ],
      },
    ],
  },
  {
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
          lines(
            'Failed requests',
            'eps',
            { about: 'By reason; the same documents are sent again.', mayBeEmpty: true },
            ['{{reason}}', rate('bulk_failures_total', 'reason')],
          ),
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
  },
  {
    uid: 'sluice-tenant',
    title: 'Sluice: tenant',
    about: 'What one tenant sends and has indexed; the first hundred tenants by name, the rest together.',
    tenants: true,
    rows: [
      {
        title: '$tenant',
        panels: [
          lines(
            'Events',
            'eps',
            { about: 'Received and indexed.', mayBeEmpty: true },
            ['received', rate('tenant_events_received_total', '', 'tenant=~"$tenant"')],
            ['indexed', rate('tenant_events_indexed_total', '', 'tenant=~"$tenant"')],
          ),
          lines('Bytes', 'Bps', { about: 'As they were sent.', mayBeEmpty: true }, [
            '{{tenant}}',
            rate('tenant_bytes_received_total', 'tenant', 'tenant=~"$tenant"'),
          ]),
          lines('Rejected', 'eps', { about: 'Refused events.', mayBeEmpty: true }, [
            '{{tenant}}',
            rate('tenant_events_rejected_total', 'tenant', 'tenant=~"$tenant"'),
          ]),
          lines('Most', 'eps', { about: 'The ten tenants that send most.', mayBeEmpty: true }, [
            '{{tenant}}',
            `topk(10, ${rate('tenant_events_received_total', 'tenant')})`,
          ]),
        ],
      },
    ],
  },
];
