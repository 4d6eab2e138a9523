// Two requests that kafkajs 2.2.4 does not know: which topic this is, and how far its log goes back unchanged. A topic
// that was deleted and made again has its old name and a new id; a log that lost its end has another leader epoch from
// where it diverges.
//
//   Metadata 12 request     header tags 0 | topics c × (id 16 bytes = 0 | name cs | tags) | create bool |
//                           authorizations bool | tags
//   Metadata 12 response    header tags | throttle i32 |
//                           brokers c × (node i32 | host cs | port i32 | rack cs | tags) | cluster cs |
//                           controller i32 | topics c × (error i16 | name cs | id 16 bytes | internal bool |
//                           partitions c × (error i16 | partition i32 | leader i32 | leader epoch i32 |
//                           replicas c × i32 | in sync c × i32 | offline c × i32 | tags) |
//                           authorizations i32 | tags) | tags
//   OffsetForLeaderEpoch 3  replica i32 = -1 | topics i32 × (name s |
//                           partitions i32 × (partition i32 | leader's epoch i32 = -1 | epoch i32))
//                response   throttle i32 | topics i32 × (name s |
//                           partitions i32 × (error i16 | partition i32 | epoch i32 | end i64))
//
// c: unsigned varint of length + 1, 0 is null; cs: text with such a length; s: i16 length; tags: number of tagged
// fields, and these. https://kafka.apache.org/protocol#The_Messages_Metadata, …#The_Messages_OffsetForLeaderEpoch. A
// response that is cut off throws RangeError.

export interface EpochQuestion {
  readonly partition: number;
  readonly epoch: number;
}

export interface EpochEnd {
  readonly partition: number;
  readonly errorCode: number;
  /** The offset after the last record of that epoch or an earlier one; -1 where the brokers know no such epoch. */
  readonly endOffset: number;
}

const UUID_BYTES = 16;

/** Null topics: all. The id of each is left open, so that its name counts. */
export function encodeMetadataRequest(topics: readonly string[], mayCreate: boolean): Buffer {
  const parts: Buffer[] = [Buffer.from([0]), uvarint(topics.length === 0 ? 0 : topics.length + 1)];
  for (const topic of topics) {
    const name = Buffer.from(topic);
    parts.push(Buffer.alloc(UUID_BYTES), uvarint(name.length + 1), name, Buffer.from([0]));
  }
  parts.push(Buffer.from([mayCreate ? 1 : 0, 0, 0]));
  return Buffer.concat(parts);
}

/**
 * In the shape that kafkajs gives to older versions, with the topic's id and the leader's epoch beside each partition.
 */
export function decodeMetadataResponse(bytes: Buffer) {
  const from = new In(bytes);
  from.tags();
  const clientSideThrottleTime = from.i32();
  const brokers = from.list(() => {
    const broker = { nodeId: from.i32(), host: from.compactText() ?? '', port: from.i32(), rack: from.compactText() };
    from.tags();
    return broker;
  });
  const clusterId = from.compactText();
  const controllerId = from.i32();
  const topicMetadata = from.list(() => decodeTopic(from));
  from.tags();
  return { throttleTime: 0, clientSideThrottleTime, brokers, clusterId, controllerId, topicMetadata };
}

function decodeTopic(from: In) {
  const topicErrorCode = from.i16();
  const topic = from.compactText();
  const topicId = from.uuid();
  const isInternal = from.bool();
  const partitionMetadata = from.list(() => {
    const partition = {
      topicId,
      partitionErrorCode: from.i16(),
      partitionId: from.i32(),
      leader: from.i32(),
      leaderEpoch: from.i32(),
      replicas: from.list(() => from.i32()),
      isr: from.list(() => from.i32()),
      offlineReplicas: from.list(() => from.i32()),
    };
    from.tags();
    return partition;
  });
  from.i32();
  from.tags();
  return { topicErrorCode, topic, isInternal, partitionMetadata };
}

export function encodeEpochRequest(topic: string, questions: readonly EpochQuestion[]): Buffer {
  const name = Buffer.from(topic);
  const head = Buffer.alloc(4 + 4 + 2);
  head.writeInt32BE(-1, 0);
  head.writeInt32BE(1, 4);
  head.writeInt16BE(name.length, 8);
  const body = Buffer.alloc(4 + 12 * questions.length);
  let at = body.writeInt32BE(questions.length, 0);
  for (const { partition, epoch } of questions) {
    at = body.writeInt32BE(partition, at);
    at = body.writeInt32BE(-1, at);
    at = body.writeInt32BE(epoch, at);
  }
  return Buffer.concat([head, name, body]);
}

export function decodeEpochResponse(bytes: Buffer): EpochEnd[] {
  const from = new In(bytes);
  from.i32();
  const found: EpochEnd[] = [];
  for (let topics = from.i32(); topics > 0; topics--) {
    from.skip(from.i16());
    for (let partitions = from.i32(); partitions > 0; partitions--) {
      const errorCode = from.i16();
      const partition = from.i32();
      from.i32();
      found.push({ errorCode, partition, endOffset: from.i64() });
    }
  }
  return found;
}

function uvarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/**
 * Bytes that are read from the front. Every step takes some or throws RangeError, so a wrong count cannot keep it busy.
 */
class In {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  i16(): number {
    const value = this.#bytes.readInt16BE(this.#at);
    this.#at += 2;
    return value;
  }

  i32(): number {
    const value = this.#bytes.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  i64(): number {
    const value = this.#bytes.readBigInt64BE(this.#at);
    this.#at += 8;
    return Number(value);
  }

  bool(): boolean {
    return this.#bytes.readInt8(this.#at++) !== 0;
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a length has more than five bytes');
  }

  /** Base64url; null where it is all zeros: the brokers know none. */
  uuid(): string | null {
    const bytes = this.#take(UUID_BYTES);
    return bytes.every((byte) => byte === 0) ? null : bytes.toString('base64url');
  }

  compactText(): string | null {
    const length = this.uvarint();
    return length === 0 ? null : this.#take(length - 1).toString();
  }

  list<T>(one: () => T): T[] {
    const items: T[] = [];
    for (let left = this.uvarint() - 1; left > 0; left--) items.push(one());
    return items;
  }

  tags(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint();
      this.skip(this.uvarint());
    }
  }

  skip(length: number): void {
    this.#take(Math.max(0, length));
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError('the response is cut off');
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}
