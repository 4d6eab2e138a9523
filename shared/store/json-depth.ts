// How deep lists and objects lie in each other. Whoever goes through a document by calling itself has no more of the
// stack than that allows, while JSON.parse takes any depth. Pure; linear in the text.

/** Whether it has more levels than `max`. The text is JSON, or its result says nothing. */
export function isDeeperThan(json: string, max: number): boolean {
  // Each level has a beginning and an end.
  if (json.length <= 2 * max) return false;
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const sign = json[at];
    if (sign === '"') at = stringEnd(json, at);
    else if (sign === '[' || sign === '{') {
      if (++depth > max) return true;
    } else if (sign === ']' || sign === '}') depth -= 1;
  }
  return false;
}

/** Where the quote is that ends it. */
function stringEnd(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); quote >= 0; quote = json.indexOf('"', quote + 1)) {
    let slash = quote - 1;
    while (json[slash] === '\\') slash -= 1;
    if ((quote - slash) % 2 === 1) return quote;
  }
  return json.length;
}
