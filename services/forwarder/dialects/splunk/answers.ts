// What a sender to Splunk's HTTP Event Collector hears: {"text":…,"code":…}, with Splunk's own texts and numbers
// (https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector).

import { type ErrorCode, SluiceError } from '#shared/errors.ts';

interface HecAnswer {
  readonly status: number;
  readonly code: number;
  readonly text: string;
}

export const hecAnswers = {
  success: { status: 200, code: 0, text: 'Success' },
  token_missing: { status: 401, code: 2, text: 'Token is required' },
  token_invalid: { status: 403, code: 4, text: 'Invalid token' },
  no_data: { status: 400, code: 5, text: 'No data' },
  invalid_data: { status: 400, code: 6, text: 'Invalid data format' },
  index_refused: { status: 400, code: 7, text: 'Incorrect index' },
  internal: { status: 500, code: 8, text: 'Internal server error' },
  busy: { status: 503, code: 9, text: 'Server is busy' },
  channel_missing: { status: 400, code: 10, text: 'Data channel is missing' },
  channel_invalid: { status: 400, code: 11, text: 'Invalid data channel' },
  event_missing: { status: 400, code: 12, text: 'Event field is required' },
  event_blank: { status: 400, code: 13, text: 'Event field cannot be blank' },
  fields_malformed: { status: 400, code: 15, text: 'Error in handling indexed fields' },
  healthy: { status: 200, code: 17, text: 'HEC is healthy' },
  unhealthy: { status: 503, code: 18, text: 'HEC is unhealthy, queues are full' },
  too_large: { status: 413, code: 27, text: 'Request entity too large' },
} as const satisfies Record<string, HecAnswer>;

export type HecCode = keyof typeof hecAnswers;

/** A refusal that has an answer of its own. */
export class HecRefusal extends SluiceError {
  readonly answer: HecCode;
  /** The number of the event that is at fault, from 0. */
  readonly event: number | null;

  constructor(answer: HecCode, why: string, event: number | null = null) {
    super('body_malformed', `Cannot read the body: ${why}`);
    this.answer = answer;
    this.event = event;
  }
}

/** @param hasToken whether the request had an Authorization at all */
export function hecAnswerTo(error: unknown, code: ErrorCode | 'internal', hasToken: boolean): HecCode {
  if (error instanceof HecRefusal) return error.answer;
  switch (code) {
    case 'unauthorized':
      return hasToken ? 'token_invalid' : 'token_missing';
    case 'tag_refused':
      return 'index_refused';
    case 'body_too_large':
    case 'decompressed_too_large':
    case 'entry_too_large':
      return 'too_large';
    case 'internal':
      return 'internal';
    default:
      return error instanceof SluiceError && error.kind.http >= 429 ? 'busy' : 'invalid_data';
  }
}
