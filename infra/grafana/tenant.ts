// The dashboard of one tenant, chosen by name at its top: what it sends, and what of that was indexed or refused.

import { type Dashboard, lines, rate } from './panels.ts';

export const tenant: Dashboard = {
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
};
