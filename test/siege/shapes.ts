// Inputs that cost much for what they are, as shapes: pieces that repeat, what they nest in, and what stands around
// them. One for each dialect and way of costing that is known; the generator (genome.ts) mutates them. Pure.

import { encode } from '@msgpack/msgpack';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compress } from 'snappyjs';
import { otlpJsonShapes } from './otlp-shapes.ts';
import { around, bytesOf, type Encoding, http, JSON_TYPE, nestsOf, plain, type Shape, xs } from './shape-parts.ts';

/** A field of protobuf with a length. */
function field(number: number, bytes: Buffer): Buffer {
  const head: number[] = [(number << 3) | 2];
  for (let left = bytes.length; ; left >>>= 7) {
    head.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from(head), bytes]);
}

const PROTOBUF_TYPE = 'application/x-protobuf';
const now = String(Date.now()) + '000000';
const eventTime = Buffer.from([0xd7, 0, 0x65, 0x92, 0x80, 0, 0, 0, 0, 0]);
const msgpackNests: [Buffer, Buffer][] = [
  [Buffer.from([0x91]), Buffer.alloc(0)],
  [Buffer.from([0x81, 0xa1, 0x61]), Buffer.alloc(0)],
];
/** A msgpack array of what follows, as long as it says: the pieces are one byte each. */
const integersBehind = (run: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = 0xdd;
  // The nests in front are part of the run; what is missing or too much makes the entry malformed, which is one more
  // way to cost.
  const values = run.length - run.findIndex((byte) => byte <= 0x7f);
  head.writeUInt32BE(Math.max(0, values), 1);
  const at = run.length - values;
  return Buffer.concat([Buffer.from([0x92, 0x00, 0x81, 0xa1, 0x61]), run.subarray(0, at), head, run.subarray(at)]);
};

const channel = { 'x-splunk-request-channel': 'siege' };

export const shapes: readonly Shape[] = [
  http('bulk', '/siege-bulk/_bulk', 'application/x-ndjson', {
    pieces: bytesOf([
      '{"delete":{}}\n',
      '{"create":{}}\n{}\n',
      `{"create":{"_id":"${xs}"}}\n{"a":"${xs}"}\n`,
      '\n',
      '{"update":{"_id":1}}\n{"doc":{}}\n',
      '{"index":{"_index":"a"}}\n{"@timestamp":1}\n',
    ]),
    nests: [],
    wrap: plain,
  }),
  http(
    'bulk, filter_path',
    `/_bulk?filter_path=${Array.from({ length: 32 }, () => '**.a.**.b.**.c').join(',')}`,
    'application/x-ndjson',
    {
      pieces: bytesOf(['{"delete":{}}\n', '{"create":{"_index":"a"}}\n{"a":1}\n']),
      nests: [],
      wrap: plain,
    },
  ),
  http('hec', '/services/collector/event', JSON_TYPE, {
    pieces: bytesOf([
      '{"event":1}',
      '{"event":{"a":[]}}',
      `{"event":"${xs}","fields":{"a":"b"}}`,
      '{}',
      '{"event":1,"time":1e308}',
    ]),
    nests: nestsOf(['{"event":', '}']),
    wrap: plain,
  }),
  http('hec raw', '/services/collector/raw', 'text/plain', {
    pieces: bytesOf(['\n', 'x\n', `${xs}\n`]),
    nests: [],
    wrap: plain,
  }),
  http('hec ack', '/services/collector/ack', JSON_TYPE, {
    headers: channel,
    pieces: bytesOf(['[', '1,', '"', '0.1e1,', '{"a":']),
    nests: [],
    wrap: around('{"acks":[', ']}'),
  }),
  http('loki json', '/loki/api/v1/push', JSON_TYPE, {
    pieces: bytesOf([`["${now}",""],`, `["${now}","${xs}",{"a":"b"}],`, '["1","x"],', '[],', '0,']),
    nests: nestsOf(['[', ']']),
    wrap: around('{"streams":[{"stream":{"a":"b"},"values":[', ']}]}'),
  }),
  http('loki json streams', '/loki/api/v1/push', JSON_TYPE, {
    pieces: bytesOf(['{"stream":{},"values":[["1",""]]},', '{"stream":{"a":"b","c":"d"},"values":[]},']),
    nests: [],
    wrap: around('{"streams":[', ']}'),
  }),
  http('loki protobuf', '/loki/api/v1/push', PROTOBUF_TYPE, {
    pieces: [
      field(2, field(1, Buffer.alloc(0))),
      field(2, field(2, Buffer.from('x'))),
      field(2, Buffer.alloc(0)),
      field(2, Buffer.concat([field(2, Buffer.from(xs)), field(3, field(1, Buffer.from('a')))])),
    ],
    nests: [],
    wrap: (run) => Buffer.from(compress(field(1, Buffer.concat([field(1, Buffer.from('{a="b"}')), run])))),
  }),
  ...otlpJsonShapes,
  http('otlp protobuf', '/v1/logs', PROTOBUF_TYPE, {
    pieces: [
      field(2, Buffer.alloc(0)),
      field(2, Buffer.from([0x0a])),
      field(2, field(5, field(1, Buffer.from('x')))),
      field(2, field(6, field(1, Buffer.from('a')))),
      Buffer.from([0x10, 0x00]),
    ],
    nests: [],
    wrap: (run) => field(1, field(2, run)),
  }),
  http('json array', '/siege.json', JSON_TYPE, {
    pieces: bytesOf([
      '{},',
      '0,',
      '{"a":[]},',
      `{"log":"${xs}"},`,
      '{"time":"2026-01-01T00:00:00Z"},',
      '{"a":"\\u0000"},',
    ]),
    nests: nestsOf(['{"a":', '}'], ['[', ']']),
    wrap: around('[', ']'),
  }),
  http('json object', '/siege.json', JSON_TYPE, {
    pieces: bytesOf(['0,', '"",', '{},', '1e300,', '"\\ud800",', '-0,']),
    nests: nestsOf(['[', ']']),
    wrap: around('{"a":[', ']}'),
  }),
  http('ndjson', '/siege.ndjson', 'application/x-ndjson', {
    pieces: bytesOf(['{}\n', '{"a":1}\n', `{"log":"${xs}"}\n`]),
    nests: [],
    wrap: plain,
  }),
  http('msgpack', '/siege.msgpack', 'application/msgpack', {
    pieces: [
      Buffer.from([0x92, 0x00, 0x80]),
      Buffer.concat([Buffer.from([0x92, 0x92]), eventTime, Buffer.from([0x80, 0x80])]),
      Buffer.from([0x81, 0xa1, 0x61, 0x01]),
      Buffer.from([0x80]),
    ],
    nests: msgpackNests,
    wrap: plain,
  }),
  http('journal', '/upload', 'application/vnd.fdo.journal', {
    isPlain: true,
    pieces: bytesOf(['A=1\n\n', '__CURSOR=a\nMESSAGE=x\n\n', 'A=\n', '\n', 'MESSAGE=1\nA=2\nB=3\n\n']),
    nests: [],
    wrap: plain,
  }),
  {
    name: 'forward packed',
    via: 'forward',
    tag: '\u0001'.repeat(1023),
    pieces: [
      Buffer.from([0x92, 0x00, 0x80]),
      Buffer.from([0x80]),
      Buffer.from([0x92, 0xc0, 0x81, 0xa1, 0x61, 0x01]),
      Buffer.from(encode([1_700_000_000, { log: xs }])),
    ],
    nests: msgpackNests,
    wrap: plain,
  },
  {
    name: 'forward small frames',
    via: 'forward-stream',
    pieces: [
      Buffer.from(encode(['a', 1, {}, { chunk: 'c' }])),
      Buffer.from(encode(['a', 1, {}])),
      Buffer.from(encode(['a', [], { chunk: 'c' }])),
      Buffer.from([0xc0]),
      Buffer.from(encode(['a', Buffer.from([0xc1]), { chunk: 'c' }])),
    ],
    nests: [],
    wrap: plain,
  },
  {
    name: 'forward one deep entry',
    via: 'forward',
    tag: 'siege.deep',
    pieces: [Buffer.from([0x00]), Buffer.from([0x7f, 0x01])],
    nests: msgpackNests,
    wrap: integersBehind,
  },
  {
    name: 'syslog tcp',
    via: 'syslog-tcp',
    pieces: bytesOf([
      '<1>\n',
      '<13>1 - - - - - [a b="c"] x\n',
      '\n',
      '5 <1>x ',
      `<1>1 2026-01-01T00:00:00Z h a p m [${'a="b" '.repeat(50)}]\n`,
      'x\n',
    ]),
    nests: [],
    wrap: plain,
  },
  { name: 'syslog udp', via: 'syslog-udp', pieces: bytesOf(['<1>x', '[a b="c"]', ' ']), nests: [], wrap: plain },
  {
    name: 'gelf tcp',
    via: 'gelf-tcp',
    pieces: bytesOf([
      '{"version":"1.1","host":"h","short_message":"m"}\0',
      '{}\0',
      '\0',
      '{"short_message":[[[[[[]]]]]]}\0',
      `{"short_message":"m","_a":"${xs}","timestamp":1e308}\0`,
    ]),
    nests: [],
    wrap: plain,
  },
  {
    name: 'gelf udp',
    via: 'gelf-udp',
    pieces: bytesOf(['{"short_message":"m"}', '{"a":', '0,']),
    nests: [],
    wrap: plain,
  },
];

/** How many bytes a body may have before it is compressed: as many as a request may, or a good part of it. */
export const bodyBytesMax = 48 * 1024 * 1024;

export function compressed(body: Buffer, encoding: Encoding): Buffer {
  if (encoding === 'gzip') return gzipSync(body, { level: 6 });
  return encoding === 'zstd' ? zstdCompressSync(body) : body;
}
