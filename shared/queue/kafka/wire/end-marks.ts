// Where the batches of a Fetch answer end, told beside their records. Not every offset has a record for its readers: a
// transaction ends with a marker, and compaction may leave of a batch its head alone. kafkajs leaves out the one, so
// that nobody may commit behind it, and sees nothing in the other, so that it asks for it again at once, for ever.
//
// A message is put behind those of a partition, at the last offset of its batches, where none is seen there. Whoever
// reads gets it like any other, knows it by `isEndMark`, and goes on behind it.

/** Of the last batch of a partition that is whole. */
export interface BatchEnd {
  readonly lastOffset: number;
  /** Of the leader that wrote it. */
  readonly epoch: number;
}

interface Message {
  readonly offset: string;
  readonly isControlRecord?: boolean;
  readonly batchContext?: { readonly inTransaction?: boolean; readonly partitionLeaderEpoch?: number };
}

interface Decoded {
  readonly responses: readonly {
    readonly partitions: readonly { readonly messages: Message[] }[];
  }[];
}

const marks = new WeakSet<object>();

export function isEndMark(message: object): boolean {
  return marks.has(message);
}

/** Has what kafkajs reads of a message. */
export function endMark({ lastOffset, epoch }: BatchEnd): Message {
  const batchContext = { partitionLeaderEpoch: epoch };
  const offset = String(lastOffset);
  const mark = { offset, key: null, value: null, timestamp: '0', attributes: 0, headers: {}, batchContext };
  marks.add(mark);
  return mark;
}

/** Puts the marks into an answer that kafkajs has decoded. `ends`: by partition, in the answer's order. */
export function withEndMarks(answer: unknown, ends: readonly (BatchEnd | null)[]): unknown {
  const partitions = (answer as Decoded).responses.flatMap((response) => response.partitions);
  for (const [i, { messages }] of partitions.entries()) {
    const end = ends[i] ?? null;
    const last = messages.at(-1);
    // One of a transaction that was aborted is left out as well.
    const isShown = last?.isControlRecord !== true && last?.batchContext?.inTransaction !== true;
    const isSeen = last !== undefined && isShown && Number(last.offset) >= (end?.lastOffset ?? 0);
    if (end !== null && !isSeen) messages.push(endMark(end));
  }
  return answer;
}
