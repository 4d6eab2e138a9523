// The reference of errors, docs/errors.md, made from the one table. A test holds the file to it.

import { errorTable } from './errors.ts';

export function errorReference(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { retryable, fault, http, exit }]) =>
      `| \`${code}\` | ${fault} | ${retryable ? 'yes' : 'no'} | ${http} | ${exit} |`,
  );
  return `# Errors

Made from \`shared/errors.ts\` by \`npm run docs\`; not written by hand.

Every failure that crosses a boundary of Sluice has one of these codes. A code is also the \`reason\` label of the metrics that count it.
Messages follow one grammar: "Cannot <verb> <thing>: <what is the case>".

| code | whose move | may pass by itself | HTTP status | exit code |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
