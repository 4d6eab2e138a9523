// The thread in which large bodies are converted. Started by accept/convert/converter.ts through
// sqlite/worker-thread.ts.

import { moved, serveWorker } from '#shared/sqlite/worker-thread.ts';
import { type ConversionName, buffersOf, conversions } from './conversions.ts';

export interface ConversionRequest {
  readonly name: ConversionName;
  readonly body: Uint8Array;
  /** The options of the conversion with this name; the caller is typed. */
  readonly options: never;
}

export interface ConversionWorker {
  convert(request: ConversionRequest): unknown;
}

serveWorker<null, ConversionWorker>(() => ({
  methods: {
    convert: ({ name, body, options }) => {
      const converted: unknown = conversions[name](Buffer.from(body.buffer, body.byteOffset, body.byteLength), options);
      return moved(converted, [...buffersOf(converted)]);
    },
  },
  close: () => undefined,
}));
