// The dashboard to begin with: the ledger of the whole pipeline as a flow, how late it is, and both of its ends.

import { type Dashboard, HERE, lines, number, quantiles, rate } from './panels.ts';

const LAG_SECONDS = `max(sluice:lag_seconds:max{${HERE}})`;
const LAG_RECORDS = `sum(sluice:lag_records:sum{${HERE}})`;

export const overview: Dashboard = {
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
};
