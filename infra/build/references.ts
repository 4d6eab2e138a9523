// Writes the documents that are made from tables: `npm run docs`.

import { writeFileSync } from 'node:fs';
import { configurationReference } from '#shared/config/reference.ts';
import { errorReference } from '#shared/error-reference.ts';
import { metricsReference } from './metrics-reference.ts';

writeFileSync('docs/configuration.md', configurationReference());
writeFileSync('docs/errors.md', errorReference());
writeFileSync('docs/metrics.md', metricsReference());
