// Metrics of one call as a line on stdout, which CloudWatch takes for metrics: nobody can scrape a function.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

export interface CallMetrics {
  readonly functionName: string;
  readonly atMs: number;
  readonly values: Readonly<Record<string, { readonly value: number; readonly unit: 'Count' | 'Milliseconds' }>>;
}

/** One line of JSON, without its newline. */
export function embeddedMetrics({ functionName, atMs, values }: CallMetrics): string {
  const names = Object.entries(values);
  return JSON.stringify({
    _aws: {
      Timestamp: atMs,
      CloudWatchMetrics: [
        {
          Namespace: 'Sluice',
          Dimensions: [['FunctionName']],
          Metrics: names.map(([Name, { unit: Unit }]) => ({ Name, Unit })),
        },
      ],
    },
    FunctionName: functionName,
    ...Object.fromEntries(names.map(([name, { value }]) => [name, value])),
  });
}
