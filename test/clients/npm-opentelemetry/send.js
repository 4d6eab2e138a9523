// PORT TAG COUNT json|protobuf TOKEN: sends numbered events by OpenTelemetry's SDK and its exporters over HTTP.

import { OTLPLogExporter as JsonExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as ProtobufExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';

const [port, tag, count, encoding, token] = process.argv.slice(2);
const Exporter = encoding === 'json' ? JsonExporter : ProtobufExporter;
const exporter = new Exporter({
  url: `http://127.0.0.1:${port}/v1/logs`,
  headers: { 'x-sluice-tag': tag, authorization: `Bearer ${token}` },
  compression: 'gzip',
});
const provider = new LoggerProvider({
  resource: resourceFromAttributes({ 'service.name': 'shop', 'k8s.pod.name': 'shop-1' }),
  processors: [new BatchLogRecordProcessor({ exporter, maxQueueSize: Number(count) })],
});
const logger = provider.getLogger('client', '1');
for (let n = 0; n < Number(count); n += 1) {
  logger.emit({ severityNumber: 9, severityText: 'INFO', body: `event ${n}`, attributes: { n } });
}
await provider.shutdown();
