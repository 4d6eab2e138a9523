// The thread in which large bodies are converted. Started by accept/convert/converter.ts through
// sqlite/worker-thread.ts.

import { collectGarbageSoon } from '#shared/memory/garbage.ts';
import { moved, serveWorker } from '#shared/sqlite/worker-thread.ts';
import { type ConversionName, buffersOf, conversions, isOwn } from './conversions.ts';

/** Of a body behind which garbage is collected. */
const LARGE_BYTES = 1024 * 1024;

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
      const size = body.length;
      const own = isOwn(body.buffer) ? body.buffer : null;
      try {
        const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
        const converted: unknown = conversions[name](bytes, options, () => own?.transfer(0));
        const buffers = [...buffersOf(converted)];
        if (own && !own.detached && !buffers.includes(own)) own.transfer(0);
        return moved(converted, buffers);
      } finally {
        // What a refused one was made of: the thread would keep it until the next body comes.
        if (size > LARGE_BYTES) collectGarbageSoon();
      }
    },
  },
  close: () => undefined,
}));
