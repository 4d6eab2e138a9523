// `collect.kubernetes` as a rule of files: which paths below the kubelet's folder are wanted, and what a path tells of
// its lines. The paths alone: nobody is asked, so nothing is waited for.

import type { KubernetesRule } from '#shared/config/settings/container-rules.ts';
import { ContainerEntries } from '../../decode/containers/container-entries.ts';
import { CRI } from '../../decode/containers/container-line.ts';
import { fieldsOfPod, podPathOf, tagOfPod } from '../../decode/containers/pod-path.ts';
import { fieldsOfFile } from '../../decode/files/line-entries.ts';
import type { SourceRule } from './source-form.ts';

const POD_LOGS = '/var/log/pods';

export function podRule(rule: KubernetesRule, host: string): SourceRule {
  const { path = POD_LOGS, include = ['*'], exclude = [], from, max_bytes_per_second } = rule;
  return {
    include: include.map((pattern) => pathPattern(path, pattern)),
    exclude: exclude.map((pattern) => pathPattern(path, pattern)),
    ...(from !== undefined && { from }),
    ...(max_bytes_per_second !== undefined && { max_bytes_per_second }),
    form: {
      root: path,
      factsOf: (source) => {
        const pod = podPathOf(source);
        const fields = { ...fieldsOfFile(source, host), ...(pod !== null && fieldsOfPod(pod)) };
        return {
          tag: tagOfPod(source),
          root: path,
          newEntries: (_head, place) => new ContainerEntries({ fields, format: CRI }, place),
        };
      },
    },
  };
}

/** What the kubelet has rotated is asked for too, or what was there before the first start would be left. */
const ROTATED = '{,.[0-9]*[0-9],.[0-9]*.gz}';

/** `namespace`, `namespace/pod` or `namespace/pod/container`, each with wildcards. */
function pathPattern(path: string, pattern: string): string {
  const [namespace = '*', pod, container = '*'] = pattern.split('/');
  // `*` alone is for any folder, also one whose name has not the form of a pod's.
  const folder = namespace === '*' && pod === undefined ? '*' : `${namespace}_${pod ?? '*'}_*`;
  return `${path}/${folder}/${container}/*.log${ROTATED}`;
}
