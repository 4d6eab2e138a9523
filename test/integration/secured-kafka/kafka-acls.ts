// The lines of `kafka-acls.sh` in docs/operations.md, and Kafka's own command to carry lines out.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADMIN } from './secured-kafka.ts';

const root = join(import.meta.dirname, '../../..');
const COMMAND = 'kafka-acls.sh --bootstrap-server $KAFKA --command-config admin.properties ';

/** Arguments of each line below the heading, without those that say where Kafka is. */
export function documentedAcls(heading: 'Rights in Kafka' | 'Further rights in Kafka'): string[] {
  const text = readFileSync(join(root, 'docs/operations.md'), 'utf8');
  const section = new RegExp(`\n## ${heading}\n(.*?)\n## `, 's').exec(text)?.[1];
  const lines = (section ?? '').split('\n').filter((line) => line.startsWith('kafka-acls.sh'));
  for (const line of lines) if (!line.startsWith(COMMAND)) throw new Error(`${line} does not begin with ${COMMAND}`);
  return lines.map((line) => line.slice(COMMAND.length));
}

/** As the administrator. `folder`: for a file of the command. */
export function applyAcls(brokers: readonly string[], lines: readonly string[], folder: string): void {
  const properties = join(folder, 'admin.properties');
  const login = `username="${ADMIN.user}" password="${ADMIN.password}"`;
  writeFileSync(
    properties,
    `security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required ${login};
`,
  );
  const where = `--bootstrap-server ${brokers.join()} --command-config ${properties}`;
  const script = `. test/backends/java.sh
home=$(bash test/backends/kafka/prepare.sh)
exec "$(java_home 17 javac)/bin/java" -Xmx256m -cp "$home/lib/*" test/integration/secured-kafka/AclLines.java`;
  const input = lines.map((line) => `${where} ${line}\n`).join('');
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { cwd: root, input, encoding: 'utf8' });
  if (status !== 0) throw new Error(`Cannot apply the ACLs: ${stdout}\n${stderr}`);
}
