// What this folder uses of kafkajs's requests, encoder and offsets without its types.

declare module 'kafkajs/src/protocol/encoder.js' {
  export default class Encoder {
    buf: Buffer;
    readonly offset: number;
    constructor(initialSize: number);
    writeBytes(bytes: Buffer): Encoder;
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
    readonly versions: readonly string[];
    protocol: (choice: { readonly version: number }) => (options: ProduceOptions) => Made;
  };
  export default produceRequests;
}

declare module 'kafkajs/src/protocol/error.js' {
  export const errorCodes: readonly { readonly code: number; readonly type: string }[];
  export function createErrorFromCode(code: number): Error;
}

declare module 'kafkajs/src/protocol/requests/fetch/index.js' {
  interface Protocol {
    readonly response: { decode(answer: Buffer): Promise<unknown> };
  }

  const fetchRequests: {
    readonly versions: readonly string[];
    protocol: (choice: { readonly version: number }) => (options: unknown) => Protocol;
  };
  export default fetchRequests;
}

declare module 'kafkajs/src/protocol/requests/listOffsets/index.js' {
  const listOffsetsRequests: {
    protocol: (choice: { readonly version: number }) => (options: object) => unknown;
  };
  export default listOffsetsRequests;
}

declare module 'kafkajs/src/protocol/requests/metadata/index.js' {
  interface Protocol {
    readonly request: { readonly apiName: string; readonly apiKey: number };
    readonly response: { decode(answer: Buffer): Promise<unknown>; parse(decoded: unknown): Promise<unknown> };
  }

  const metadataRequests: {
    versions: string[];
    protocol: (choice: {
      readonly version: number;
    }) => (options: { readonly topics: readonly string[]; readonly allowAutoTopicCreation?: boolean }) => Protocol;
  };
  export default metadataRequests;
}

declare module 'kafkajs/src/consumer/offsetManager/index.js' {
  export default class OffsetManager {
    readonly groupId: string;
    readonly memberId: string;
    constructor(options: {
      readonly cluster: { defaultOffset(): string; committedOffsets(): object };
      readonly coordinator: { isConnected(): boolean; offsetCommit(request: object): Promise<unknown> };
      readonly memberAssignment: Readonly<Record<string, readonly number[]>>;
      readonly topicConfigurations: object;
      readonly groupId: string;
      readonly generationId: number;
      readonly memberId: string;
    });
    /** Called at the end of the constructor, and only there. */
    clearAllOffsets(): void;
    setDefaultOffset(place: { readonly topic: string; readonly partition: number }): Promise<void>;
    commitOffsets(offsets: {
      readonly topics: readonly {
        readonly topic: string;
        readonly partitions: readonly {
          readonly partition: number;
          readonly offset: string;
          readonly metadata?: string;
        }[];
      }[];
    }): Promise<void>;
  }
}
