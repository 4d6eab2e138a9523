// The body of a posted query, read as JSON unless that would take long: who takes logs in waits meanwhile, and V8 needs
// 0.7 s for 2 MiB of brackets. Pure; linear.

import { reasonOf, SluiceError } from '#shared/errors.ts';
import { isDeeperThan } from '#shared/store/json-depth.ts';
import { wrong } from './json-parts.ts';

/** Each level of a tree is an object, and in most cases a list in it. */
const DEPTH_MAX = 500;
/** Signs that begin a value, also where they are text: four for each part of the largest tree, and all of a text. */
const SIGNS_MAX = 128 * 1024;
const [COMMA, BRACKET, BRACE] = [0x2c, 0x5b, 0x7b];

/** Throws query_wrong, request_malformed. */
export function postedJson(text: string): unknown {
  if (signsIn(text) > SIGNS_MAX || isDeeperThan(text, DEPTH_MAX))
    throw wrong('it has too many parts, or too deep ones');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SluiceError('request_malformed', `Cannot read the request: ${reasonOf(error)}`, { cause: error });
  }
}

function signsIn(text: string): number {
  let signs = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code === BRACKET || code === BRACE) signs += 1;
  }
  return signs;
}
