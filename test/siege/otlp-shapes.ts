// Costly bodies of OTLP in JSON: records that are none, values that nest, what is repeated for each record. Pure.

import { around, bytesOf, http, JSON_TYPE, nestsOf, type Shape, xs } from './shape-parts.ts';

const otlpHead = '{"resourceLogs":[{"scopeLogs":[{"logRecords":[';

export const otlpJsonShapes: readonly Shape[] = [
  http('otlp json', '/v1/logs', JSON_TYPE, {
    pieces: bytesOf([
      '0,',
      '{},',
      `{"body":{"stringValue":"${xs}"}},`,
      '{"attributes":[{"key":"a"}]},',
      '{"body":{"intValue":1}},',
      '"a",',
      // Three times their bytes in msgpack, and of no use; as many escapes as letters; keys behind their values.
      '{"x":[-0,-0,-0,-0,-0,-0,-0,-0]},',
      `{"body":{"stringValue":"${'\\u0000'.repeat(8)}"}},`,
      '{"attributes":[{"value":{"kvlistValue":{"values":[{"value":{"intValue":1},"key":"b"}]}},"key":"a"}]},',
    ]),
    nests: nestsOf(['{"body":{"arrayValue":{"values":[', ']}}}'], ['[', ']']),
    wrap: around(otlpHead, ']}]}]}'),
  }),
  http('otlp json resources', '/v1/logs', JSON_TYPE, {
    pieces: bytesOf([
      '{"scopeLogs":[{"logRecords":[{}]}]},',
      '{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}}]},"scopeLogs":[{},{}]},',
    ]),
    nests: [],
    wrap: around('{"resourceLogs":[', ']}'),
  }),
  // All of its records have what is said once.
  http('otlp json shared', '/v1/logs', JSON_TYPE, {
    pieces: bytesOf(['{"flags":100000},']),
    nests: [],
    wrap: around(
      `{"resourceLogs":[{"resource":{"attributes":[{"key":"a","value":{"stringValue":"${xs.repeat(5)}"}}]},` +
        '"scopeLogs":[{"logRecords":[',
      ']}]}]}',
    ),
  }),
  http('otlp json values', '/v1/logs', JSON_TYPE, {
    pieces: bytesOf(['{"intValue":1},', '{},', '0,', '{"stringValue":""},', '{"a":[],"intValue":1},']),
    nests: nestsOf(['{"arrayValue":{"values":[', ']}}'], ['{"kvlistValue":{"values":[{"key":"a","value":', '}]}}']),
    wrap: around(`${otlpHead}{"body":{"arrayValue":{"values":[`, ']}}}]}]}]}'),
  }),
];
