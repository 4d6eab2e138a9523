// A message of ours for standard error, as one line: `sluice: Cannot …`. Names of files, answers of servers and texts
// of documents stand in messages, and a terminal obeys what it is sent, so all of it is made harmless here. A tidy
// rule holds that nobody else writes such lines.

import { harmless, oneLine } from '#shared/harmless.ts';

/** With the line end. Line ends within the text are escaped: a name can't make a message of its own. */
export function messageLine(text: string): string {
  return `sluice: ${harmless(oneLine(text))}\n`;
}
