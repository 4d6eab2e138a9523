// What `sluice check` found out: a line for each thing it asked, with what to do where something is wrong.

export interface Finding {
  /** What was asked, such as "Kafka at kafka-1:9092". */
  readonly thing: string;
  /** `weak`: it works, and promises or protects less than it could. */
  readonly outcome: 'ok' | 'weak' | 'failed';
  /** What is the case, and what to do; one line. */
  readonly text: string;
}

export function findingLine({ thing, outcome, text }: Finding): string {
  return `${outcome.padEnd(6)}  ${thing}: ${text.replaceAll(/\s*\n\s*/g, ' ')}\n`;
}
