// The dashboard of the queue: the lag of the indexers, in seconds and records, by topic and partition.

import { type Dashboard, HERE, lines } from './panels.ts';

export const queue: Dashboard = {
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
};
