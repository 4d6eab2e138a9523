// Patterns of names: `*` stands for any run of characters, all else for itself.

/** Whether the whole text fits the pattern. Takes time in proportion to their lengths, whatever they say. */
export function matchesGlob(pattern: string, text: string): boolean {
  return fitsPieces(text, pattern.split('*'));
}

/** Whether the pieces, between which anything may be, make up the whole text. */
export function fitsPieces(text: string, pieces: readonly string[]): boolean {
  const first = pieces[0] ?? '';
  if (pieces.length === 1) return text === first;
  const last = pieces.at(-1) ?? '';
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
