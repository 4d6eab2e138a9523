// What a page of metrics says, for tests: one sample by its name and some of its labels.

export interface Scraped {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** All samples of the page; none where nobody answers. */
export async function scrape(url: string): Promise<Scraped[]> {
  const answer = await fetch(url).catch(() => null);
  return answer?.ok ? samplesOf(await answer.text()) : [];
}

/** Of the plain text form. */
export function samplesOf(page: string): Scraped[] {
  const samples: Scraped[] = [];
  for (const line of page.split('\n')) {
    const [, name, labels = '', value] = /^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/i.exec(line) ?? [];
    if (name === undefined || value === undefined) continue;
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text = '']) => [key, text]);
    samples.push({ name, labels: Object.fromEntries(pairs), value: numberOf(value) });
  }
  return samples;
}

/** Sum of the samples with this name and these labels; null where there is none. */
export function valueOf(samples: readonly Scraped[], name: string, labels: Scraped['labels'] = {}): number | null {
  const found = samples.filter(
    (sample) => sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels[key] === text),
  );
  return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
}

function numberOf(text: string): number {
  return text.endsWith('Inf') ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text);
}
