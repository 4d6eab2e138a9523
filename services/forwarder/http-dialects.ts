// All that the HTTP server understands. A new dialect is one line here (docs/adding-an-input.md).

import { tagInput } from './accept/http/http-input.ts';
import type { HttpDialect } from './accept/http/http-context.ts';
import { elasticsearch } from './dialects/elasticsearch/route.ts';
import { journal } from './dialects/journal/route.ts';
import { loki } from './dialects/loki/route.ts';
import { otlp } from './dialects/otlp/route.ts';
import { splunk } from './dialects/splunk/route.ts';

export const httpDialects: readonly HttpDialect[] = [tagInput, otlp, splunk, elasticsearch, loki, journal];
