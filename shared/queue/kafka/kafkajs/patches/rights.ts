// Which right a broker missed when it refused a request: it tells the kind of the resource, and not the operation.
// See https://kafka.apache.org/documentation/#operations_resources_and_protocols. Pure.

/** Kafka's error → the resource it speaks of. */
const RESOURCES: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: 'topic',
  GROUP_AUTHORIZATION_FAILED: 'group',
  CLUSTER_AUTHORIZATION_FAILED: 'cluster',
};

/** Request, as kafkajs calls it → the operation. */
const OPERATIONS: Readonly<Record<string, string>> = {
  Produce: 'Write',
  Fetch: 'Read',
  Metadata: 'Describe',
  ListOffsets: 'Describe',
  OffsetForLeaderEpoch: 'Describe',
  OffsetFetch: 'Describe',
  OffsetCommit: 'Read',
  GroupCoordinator: 'Describe',
  JoinGroup: 'Read',
  SyncGroup: 'Read',
  Heartbeat: 'Read',
  LeaveGroup: 'Read',
  DescribeGroups: 'Describe',
  DeleteGroups: 'Delete',
  CreateTopics: 'Create',
  DescribeConfigs: 'DescribeConfigs',
};

/** "Write on the topic"; null where the error is none of rights, or the request none of ours. */
export function missingRight(errorType: unknown, apiName: string): string | null {
  const resource = typeof errorType === 'string' ? RESOURCES[errorType] : undefined;
  const operation = OPERATIONS[apiName];
  return resource === undefined || operation === undefined ? null : `${operation} on the ${resource}`;
}
