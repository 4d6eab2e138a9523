// What a sender to Splunk's HTTP Event Collector hears: {"text":…,"code":…}, with Splunk's own texts and numbers
// (https://docs.splunk.com/Documentation/Splunk/latest/Data/TroubleshootHTTPEventCollector).

import { type ErrorCode, SluiceError, errorTable } from '#shared/errors.ts';

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
  if (code === 'unauthorized') return hasToken ? 'token_invalid' : 'token_missing';
  if (code === 'origin_refused') return 'token_invalid';
  if (code === 'tag_refused') return 'index_refused';
  if (code === 'internal') return 'internal';
  const { http } = errorTable[code];
  if (http === 413) return 'too_large';
  return http >= 429 ? 'busy' : 'invalid_data';
}
