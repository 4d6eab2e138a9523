// The dashboard of the forwarders: what senders send, what they are answered, and how the forwarders are.

import { type Dashboard, HERE, lines, quantiles, rate } from './panels.ts';

export const edge: Dashboard = {
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
};
