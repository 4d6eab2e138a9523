// All that the HTTP server understands. What else a new dialect needs is in docs/adding-an-input.md: its route, its
// name in intake/chunk.ts, its conversion in dialects/conversions.ts, and its paths, which no tag may have, in
// decode/http/http-tag.ts.

import { tagInput } from './accept/http/http-input.ts';
import type { HttpDialect } from './accept/http/http-context.ts';
import { elasticsearch } from './dialects/elasticsearch/route.ts';
import { journal } from './dialects/journal/route.ts';
import { loki } from './dialects/loki/route.ts';
import { otlp } from './dialects/otlp/route.ts';
import { splunk } from './dialects/splunk/route.ts';

export const httpDialects: readonly HttpDialect[] = [tagInput, otlp, splunk, elasticsearch, loki, journal];
