// Every failure that crosses a boundary of Sluice is a SluiceError with a code of this table.
// The table says whether another try may help, whose move it is, what HTTP answers, and how a command exits.
// A code is a metric label too, so the set is closed. What is not in the table is not retried.
//
// Messages follow one grammar: "Cannot <verb> <thing>: <what is the case>", with what to do where we know it.

type Fault = 'sender' | 'operator' | 'sluice';

interface ErrorKind {
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retryable: boolean;
  /** Who can mend it. */
  readonly fault: Fault;
  /** The status of an HTTP answer that this error causes. */
  readonly http: number;
  /** The exit code of a command that ends by it. */
  readonly exit: 1 | 2;
}

const kind = (fault: Fault, http: number, options: { retryable?: boolean; exit?: 1 | 2 } = {}): ErrorKind => ({
  fault,
  http,
  retryable: options.retryable ?? false,
  exit: options.exit ?? 1,
});

export const errorTable = {
  // Operator: configuration and surroundings.
  config_invalid: kind('operator', 500, { exit: 2 }),
  usage_wrong: kind('operator', 500, { exit: 2 }),
  listen_failed: kind('operator', 500),
  data_dir_unusable: kind('operator', 500),
  data_dir_locked: kind('operator', 500),
  journal_unreadable: kind('operator', 500),
  health_unknown: kind('operator', 500),
  // Sender: what was sent cannot be taken, now or ever.
  frame_malformed: kind('sender', 400),
  frame_too_large: kind('sender', 413),
  body_malformed: kind('sender', 400),
  body_too_large: kind('sender', 413),
  body_too_costly: kind('sender', 413),
  entry_too_large: kind('sender', 413),
  too_many_events: kind('sender', 413),
  encoding_unknown: kind('sender', 415),
  content_type_unknown: kind('sender', 415),
  path_unknown: kind('sender', 404),
  method_refused: kind('sender', 405),
  request_malformed: kind('sender', 400),
  request_timeout: kind('sender', 408),
  headers_too_large: kind('sender', 431),
  decompressed_too_large: kind('sender', 413),
  tag_invalid: kind('sender', 400),
  signal_refused: kind('sender', 400),
  tag_refused: kind('sender', 403),
  origin_refused: kind('sender', 403),
  tenant_refused: kind('sender', 403),
  query_wrong: kind('sender', 400, { exit: 2 }),
  unauthorized: kind('sender', 401),
  // A guesser is about: whoever has a secret is to show it again later.
  login_limited: kind('sender', 429, { retryable: true }),
  // The edge has its hands full.
  intake_full: kind('operator', 429, { retryable: true }),
  rate_limited: kind('sender', 429, { retryable: true }),
  conversion_unavailable: kind('operator', 503, { retryable: true }),
  // The read API.
  searches_full: kind('operator', 429, { retryable: true }),
  search_timeout: kind('sender', 503),
  // Queue.
  queue_unavailable: kind('operator', 503, { retryable: true }),
  queue_full: kind('operator', 503, { retryable: true }),
  dead_letters_full: kind('operator', 503, { retryable: true }),
  queue_refused: kind('operator', 503),
  queue_unauthorized: kind('operator', 503),
  queue_damaged: kind('operator', 503, { retryable: true }),
  topic_missing: kind('operator', 503, { retryable: true }),
  assignment_lost: kind('sluice', 503),
  shutting_down: kind('sluice', 503, { retryable: true }),
  // Store: answers to a whole request. Answers to one item are in the indexer's outcome table.
  store_unavailable: kind('operator', 503, { retryable: true }),
  store_timeout: kind('operator', 503, { retryable: true }),
  store_overloaded: kind('operator', 429, { retryable: true }),
  store_index_unreadable: kind('operator', 503, { retryable: true }),
  store_index_closed: kind('operator', 503, { retryable: true }),
  store_body_too_large: kind('sluice', 413),
  store_body_refused: kind('sluice', 400),
  store_unauthorized: kind('operator', 503),
  store_refused: kind('operator', 503),
  // A record of the queue that cannot be read.
  record_version_unknown: kind('sender', 400),
  record_malformed: kind('sender', 400),
  record_poisonous: kind('sluice', 500),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorTable;

export class SluiceError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SluiceError';
    this.code = code;
  }

  get kind(): ErrorKind {
    return errorTable[this.code];
  }
}

/** The code's table row for any thrown value; what is not ours is not retryable. */
export function isRetryable(error: unknown): boolean {
  return error instanceof SluiceError && error.kind.retryable;
}

/** One line: what an unknown thrown value says, without its stack. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.split('\n', 1)[0] ?? '';
}
