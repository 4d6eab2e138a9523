// Where the parts of a document begin that differ in how they come from a line: positions in its JsonBuffer.

export class Marks {
  /** Behind the time. */
  fields = 0;
  /** Behind the message. */
  rest = 0;
  attributes = 0;
  /** The list of numbers, and what is behind it. */
  numbers = 0;
  numbersEnd = 0;
  /** What is behind `log`; members of `event` that come from the line. */
  logEnd = 0;
  event = 0;
  original = 0;
  end = 0;
}
