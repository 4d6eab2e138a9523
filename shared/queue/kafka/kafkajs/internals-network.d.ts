// What this folder uses of kafkajs's cluster, connections and errors without its types.

declare module 'kafkajs/src/cluster/index.js' {
  import type { ISocketFactory, KafkaConfig, Logger } from 'kafkajs';
  import type OffsetManager from 'kafkajs/src/consumer/offsetManager/index.js';

  interface ListedPartition {
    readonly partition: number;
    /** Ms since the epoch of the record at `offset`; "-1" where there is none. */
    readonly timestamp: string;
    readonly offset: string;
  }

  interface Broker {
    readonly connectionPool: {
      send<T>(protocol: {
        readonly request: {
          readonly apiKey: number;
          readonly apiVersion: number;
          readonly apiName: string;
          encode(): Promise<unknown>;
        };
        readonly response: { decode(bytes: Buffer): Promise<T>; parse(decoded: T): Promise<T> };
      }): Promise<T>;
    };
    /** Rejects where one of the partitions has an error. */
    offsetCommit(request: {
      readonly groupId: string;
      readonly groupGenerationId: number;
      readonly memberId: string;
      readonly topics: Parameters<OffsetManager['commitOffsets']>[0]['topics'];
    }): Promise<unknown>;
    listOffsets(request: {
      readonly topics: readonly {
        readonly topic: string;
        readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[];
      }[];
    }): Promise<{ readonly responses: readonly { readonly partitions: readonly ListedPartition[] }[] }>;
  }

  export default class Cluster {
    constructor(
      options: Omit<KafkaConfig, 'logLevel' | 'logCreator'> & {
        readonly logger: Logger;
        readonly socketFactory: ISocketFactory;
        readonly metadataMaxAge: number;
        readonly allowAutoTopicCreation: boolean;
      },
    );
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    addTargetTopic(topic: string): Promise<void>;
    refreshMetadataIfNecessary(): Promise<void>;
    findTopicPartitionMetadata(
      topic: string,
    ): readonly { readonly partitionId: number; readonly leader: number | null }[];
    findBroker(which: { readonly nodeId: string }): Promise<Broker>;
    findGroupCoordinator(which: { readonly groupId: string }): Promise<Broker>;
  }
}

declare module 'kafkajs/src/network/socketFactory.js' {
  import type { ISocketFactory } from 'kafkajs';

  const createSocketFactory: () => ISocketFactory;
  export default createSocketFactory;
}

declare module 'kafkajs/src/errors.js' {
  export class KafkaJSSASLAuthenticationError extends Error {
    constructor(message: string);
  }
  export class KafkaJSConnectionClosedError extends Error {
    constructor(message: string, place: { readonly host: string; readonly port: number });
  }
}

declare module 'kafkajs/src/network/connection.js' {
  import type { Socket } from 'node:net';
  import type { ISocketFactory, Logger } from 'kafkajs';
  import type RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

  export default class Connection {
    readonly host: string;
    readonly port: number;
    readonly requestQueue: RequestQueue;
    connectionStatus: string;
    /** Of `process.hrtime`; null before the login and after the end. */
    authenticatedAt: [number, number] | null;
    /** Ms; 0 is for ever. */
    readonly sessionLifetime: { toString(): string };
    socket?: Socket;
    chunks: Buffer[];
    bytesBuffered: number;
    bytesNeeded: number;
    constructor(options: {
      readonly host: string;
      readonly port: number;
      readonly logger: Logger;
      readonly socketFactory: ISocketFactory;
      readonly connectionTimeout: number;
      readonly requestTimeout: number;
    });
    isConnected(): boolean;
    isAuthenticated(): boolean;
    disconnect(): Promise<unknown>;
    connect(): Promise<unknown>;
    send(request: { readonly request: { readonly apiName: string } }): Promise<unknown>;
    rejectRequests(error: Error): void;
  }
}

declare module 'kafkajs/src/broker/saslAuthenticator/index.js' {
  import type Connection from 'kafkajs/src/network/connection.js';

  export default class SaslAuthenticator {
    readonly connection: Connection;
    authenticate(): Promise<void>;
  }
}

declare module 'kafkajs/src/network/connectionStatus.js' {
  const states: { readonly CONNECTION_STATUS: { readonly DISCONNECTED: string } };
  export default states;
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  export interface PushedRequest {
    readonly entry: { readonly apiName: string; reject(error: Error): void };
    readonly requestTimeout: number | null;
  }

  export default class RequestQueue {
    pending: readonly unknown[];
    throttledUntil: number;
    readonly throttleCheckTimeoutId: NodeJS.Timeout | null;
    constructor(options: { readonly requestTimeout: number });
    push(pushed: PushedRequest): void;
    scheduleCheckPendingRequests(): void;
    createSocketRequest(pushed: {
      readonly entry: { readonly apiName: string };
      readonly requestTimeout: number | null;
    }): { requestTimeout: number };
    destroy(): void;
  }
}
