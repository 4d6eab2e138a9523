// What the containers of docker-logs.test.ts print: scripts for a shell, by name.

/** Each is a format of printf. */
const ODD_LINES: readonly string[] = [
  'plain',
  '',
  ' ',
  'carriage return\\r',
  '\\r',
  'over\\rwritten',
  '\\ttabs\\tand  spaces  ',
  '\\\\n is no line end, 100%%, "quoted"',
  'NUL \\000 BEL \\007 ESC \\033',
  '\\033[31mred\\033[0m \\033[1mERROR\\033[0m bold',
  '\\357\\273\\277a byte order mark',
  'gr\\303\\274n \\342\\202\\254 \\360\\237\\230\\200 \\342\\200\\250 line separator',
  '{"level":"warn","msg":"a JSON line","status":500,"took":12.50,"http":{"path":"/x"}}',
  '{"level":"warn","msg":"carriage return"}\\r',
  '  {"msg":"behind spaces"}  ',
  '2026-01-02T03:04:05.678Z INFO {"msg":"behind a time","n":12345678901234567890}',
  '{"log":"json-file\\\\n","stream":"stderr","time":"2020-01-02T03:04:05.678901234Z"}',
  '2020-01-02T03:04:05.678901234Z stderr F of CRI',
  '2020-01-02T03:04:05.678901234Z stdout P a part of CRI',
  'time="2020-01-02T03:04:05Z" level=error msg="logfmt of another time" took=3 team=green',
  'E1121 10:00:00.123456       1 file.go:12] klog',
  '<3>of systemd',
  'Exception in thread "main" java.lang.IllegalStateException: no',
  '\\tat com.shop.Cart.add(Cart.java:12)',
  '\\t... 3 more',
  'Traceback (most recent call last):',
  '  File "a.py", line 1, in <module>',
  'ValueError: no',
];

export const TRACE: readonly string[] = [
  'before it',
  'java.lang.IllegalStateException: no',
  ...Array.from({ length: 5 }, (_, n) => `\\tat com.shop.Cart.add(Cart.java:${n})`),
  'Caused by: java.io.IOException: disk',
  '\\t... 3 more',
  'after it',
];
const quoted = (line: string): string => `'${line.replaceAll("'", `'\\''`)}\\n'`;
/** With a pause between the streams, whose order dockerd does not keep in both of its copies. */
const ODD = ODD_LINES.map((line, n) => `printf ${quoted(line)}${n % 3 === 2 ? ' >&2' : ''}; sleep 0.02`).join('; ');
const digits = (bytes: number): string => `seq 1 50000 | tr -d '\\n' | head -c ${bytes}; echo`;
/** Around where Docker cuts lines, and longer; of digits that count on, and of characters that are cut. */
const LONG = [16_383, 16_385, 200_000]
  .map(digits)
  .concat(`awk 'BEGIN { printf "x"; for (; i < 30000; i++) printf "\\303\\274"; print "" }'`)
  .join('; ');
export const ALL_DIGITS = Array.from({ length: 50_000 }, (_, i) => i + 1).join('');
export const FULL = [16_384, 5, 32_768, 0, 16_384];
const NO_TEXT = ['\\377 \\376', '\\303', '\\303(', '\\360\\237\\230', '\\355\\240\\200', '\\300\\257', 'end'];
export const SCRIPTS = {
  odd: ODD,
  long: LONG,
  full: FULL.map(digits).join('; '),
  unended: 'echo first; printf last; printf oops >&2',
  bytes: NO_TEXT.map((line) => `printf ${quoted(line)}`).join('; '),
  five: 'for n in 1 2 3 4 5; do echo $n; sleep 0.02; done',
  trace: TRACE.map((line) => `printf ${quoted(line)}; sleep 0.02`).join('; '),
};
