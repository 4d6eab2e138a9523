// What an OTLP exporter hears, in the encoding that it sent in
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response).
//
//   200      ExportLogsServiceResponse { 1 partialSuccess { 1 rejectedLogRecords (int64)  2 errorMessage } }
//   else     google.rpc.Status { 1 code (int32)  2 message }

import { BinaryWriter } from '@bufbuild/protobuf/wire';

export type OtlpEncoding = 'json' | 'protobuf';

/** google.rpc.Code: INVALID_ARGUMENT where the sender is at fault, else UNAVAILABLE. */
const INVALID_ARGUMENT = 3;
const UNAVAILABLE = 14;

export function exportAnswer(encoding: OtlpEncoding, rejected: number, why: string): Buffer {
  if (encoding === 'json') {
    const partialSuccess = { rejectedLogRecords: String(rejected), errorMessage: why };
    return Buffer.from(JSON.stringify(rejected === 0 ? {} : { partialSuccess }));
  }
  const writer = new BinaryWriter();
  if (rejected > 0) writer.uint32(0x0a).fork().uint32(0x08).int64(rejected).uint32(0x12).string(why).join();
  return Buffer.from(writer.finish());
}

/** @param status of HTTP */
export function statusAnswer(encoding: OtlpEncoding, status: number, message: string): Buffer {
  const code = status < 500 && status !== 429 ? INVALID_ARGUMENT : UNAVAILABLE;
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }));
  const writer = new BinaryWriter();
  return Buffer.from(writer.uint32(0x08).int32(code).uint32(0x12).string(message).finish());
}
