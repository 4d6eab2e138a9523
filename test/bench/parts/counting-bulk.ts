// A bare `_bulk` endpoint in a process of its own: counts items, answers each with 201 and with what the request's
// `filter_path` asks for, as Elasticsearch does, and keeps nothing. What it costs is not the indexer's. Tells its port,
// and on demand its count, by process messages.

import { createServer } from 'node:http';

const NEWLINE = 0x0a;
const CREATED = '{"create":{"status":201}}';
const BACKING = '.ds-logs-sluice-default-2026.01.02-000001';
const CREATED_WITH_INDEX = `{"create":{"_index":"${BACKING}","status":201}}`;
let items = 0;
let bytes = 0;

const server = createServer((request, response) => {
  response.setHeader('x-elastic-product', 'Elasticsearch');
  response.setHeader('content-type', 'application/json');
  let lines = 0;
  request.on('data', (piece: Buffer) => {
    bytes += piece.length;
    for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) lines++;
  });
  request.on('end', () => {
    if (request.url?.startsWith('/_data_stream/')) {
      response.end(`{"data_streams":[{"indices":[{"index_name":"${BACKING}"}]}]}`);
      return;
    }
    if (request.method !== 'POST') {
      response.end('{"version":{"number":"9.5.3"},"tagline":"You Know, for Search"}');
      return;
    }
    items += lines / 2;
    const created = request.url?.includes('items.*._index') ? CREATED_WITH_INDEX : CREATED;
    response.end(`{"errors":false,"items":[${new Array(lines / 2).fill(created).join(',')}]}`);
  });
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.({ port: typeof address === 'object' ? address?.port : 0 });
});
process.on('message', () => process.send?.({ items, bytes }));
process.on('disconnect', () => process.exit());
