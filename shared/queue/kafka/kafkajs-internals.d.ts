// What kafkajs.ts uses of kafkajs without its types.

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export default class RequestQueue {
    readonly pending: readonly unknown[];
    readonly throttledUntil: number;
    scheduleCheckPendingRequests(): void;
  }
}

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    buf: Buffer;
    readonly offset: number;
    ensureAvailable(length: number): void;
  }
}

declare module 'kafkajs/src/protocol/requests/produce/index.js' {
  import type { CompressionTypes } from 'kafkajs';

  interface ProduceOptions {
    readonly acks: number;
    readonly timeout: number;
    readonly compression: CompressionTypes;
    readonly transactionalId?: string;
    readonly topicData: readonly {
      readonly topic: string;
      readonly partitions: readonly {
        readonly partition: number;
        readonly messages: readonly { readonly value: Buffer; readonly headers: Readonly<Record<string, Buffer>> }[];
      }[];
    }[];
  }

  interface Made {
    readonly request: { readonly encode: () => Promise<unknown> };
  }

  const produceRequests: {
    protocol: (choice: { readonly version: number }) => (options: ProduceOptions) => Made;
  };
  export default produceRequests;
}
