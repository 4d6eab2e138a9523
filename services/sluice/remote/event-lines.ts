// Server-sent events from the pieces of text that a connection brings, cut anywhere:
// https://html.spec.whatwg.org/multipage/server-sent-events.html
//
// Pure; linear. What is not finished is kept until it is, up to a bound.

export interface ServerEvent {
  /** The last `id` so far, of comments too; empty: none yet. */
  readonly id: string;
  /** Empty: a comment, or an id alone. */
  readonly data: string;
  readonly name: string;
}

/** The largest document of a store, and as much again. */
const EVENT_CHARS_MAX = 512 * 1024 * 1024;

export class EventLines {
  readonly #charsMax: number;
  readonly #pieces: string[] = [];
  /** Of the line that is not finished, and of the data before it. */
  #lineChars = 0;
  #dataChars = 0;
  #id = '';
  #data: string[] = [];
  #name = '';

  constructor(charsMax = EVENT_CHARS_MAX) {
    this.#charsMax = charsMax;
  }

  /** The events that end in this piece. Throws where one is too long. */
  add(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      this.#pieces.push(text.slice(from, end));
      const line = this.#pieces.join('');
      this.#pieces.length = 0;
      this.#lineChars = 0;
      from = end + 1;
      if (line === '') events.push(this.#event());
      else this.#line(line);
    }
    const rest = text.slice(from);
    this.#lineChars += rest.length;
    if (this.#lineChars + this.#dataChars > this.#charsMax) throw new Error('an event of it is too long');
    if (rest !== '') this.#pieces.push(rest);
    return events;
  }

  #event(): ServerEvent {
    const event = { id: this.#id, data: this.#data.join('\n'), name: this.#name };
    this.#data = [];
    this.#dataChars = 0;
    this.#name = '';
    return event;
  }

  #line(line: string): void {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (name === 'id') this.#id = value;
    else if (name === 'data') {
      this.#data.push(value);
      this.#dataChars += value.length + 1;
    } else if (name === 'event') this.#name = value;
  }
}
