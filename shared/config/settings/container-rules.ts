// `collect.kubernetes` and `collect.docker`: which containers' logs this machine's forwarder reads from the folders
// of the kubelet and of Docker. Here are their forms, and what is wrong with one. Pure.
//
//   kubernetes:
//     include: [shop, 'web/api-*']       namespace, namespace/pod, namespace/pod/container; else all
//     exclude: ['*/*/istio-proxy']
//     metadata: auto                     path, or api: what the Kubernetes API says; auto: where it may be asked
//     labels: [app.*]                    of pods: those that events have; else all
//     annotations: [team]                the same; else none
//   docker:
//     include: ['web-*', 'label:team', 'label:logs=on']     names, labels, labels with values; else all
//     exclude: ['label:logs=off']
//     labels: [com.docker.compose.*]     those that events have; else all
//
// Of both, with wildcards * ? [a-z] {a,b}:
//     from: end                          of files that are there when they are first seen; else beginning
//     max_bytes_per_second: 1000000      of each container; else as fast as it can be read
//     path: /var/log/pods                their folder

import { type Static, Type } from 'typebox';
import { patternMistakes } from '../../name-pattern.ts';

const Pattern = Type.String({ minLength: 1, maxLength: 1024 });
const ORIGINS = ['beginning', 'end'] as const;

const common = {
  include: Type.Optional(Type.Array(Pattern, { minItems: 1, maxItems: 1000 })),
  exclude: Type.Optional(Type.Array(Pattern, { maxItems: 1000 })),
  from: Type.Optional(Type.Unsafe<(typeof ORIGINS)[number]>(Type.Enum([...ORIGINS]))),
  max_bytes_per_second: Type.Optional(Type.Integer({ minimum: 1024, maximum: 1e12 })),
  path: Type.Optional(Type.String({ minLength: 2, maxLength: 1024 })),
};

const Patterns = Type.Array(Pattern, { maxItems: 1000 });
const METADATA = ['auto', 'path', 'api'] as const;

export const KubernetesRules = Type.Object(
  {
    ...common,
    metadata: Type.Optional(Type.Unsafe<(typeof METADATA)[number]>(Type.Enum([...METADATA]))),
    labels: Type.Optional(Patterns),
    annotations: Type.Optional(Patterns),
  },
  { additionalProperties: false },
);
export const DockerRules = Type.Object({ ...common, labels: Type.Optional(Patterns) }, { additionalProperties: false });

export type KubernetesRule = Readonly<Static<typeof KubernetesRules>>;
export type DockerRule = Readonly<Static<typeof DockerRules>>;

/** What is wrong with them, a sentence each, beside what their schemas find. */
export function containerRuleMistakes(rules: { kubernetes?: KubernetesRule; docker?: DockerRule }): string[] {
  const { kubernetes = {}, docker = {} } = rules;
  const pods = [...(kubernetes.include ?? []), ...(kubernetes.exclude ?? [])];
  return [
    ...pods
      .filter((pattern) => !PODS.test(pattern))
      .map((pattern) => `"${pattern}" is none of namespace, namespace/pod, namespace/pod/container`),
    ...patternMistakes([...pods, ...(kubernetes.labels ?? []), ...(kubernetes.annotations ?? [])]),
    ...pathMistakes(kubernetes),
  ]
    .map((mistake) => `collect.kubernetes: ${mistake}`)
    .concat(
      [...patternMistakes(ofDocker(docker)), ...pathMistakes(docker)].map((mistake) => `collect.docker: ${mistake}`),
    );
}

function ofDocker({ include = [], exclude = [], labels = [] }: DockerRule): string[] {
  return [...include, ...exclude, ...labels];
}

function pathMistakes({ path }: Pick<KubernetesRule, 'path'>): string[] {
  if (path === undefined || (path.startsWith('/') && !path.endsWith('/'))) return [];
  return [`path "${path}" is no absolute path of a folder without a slash at its end`];
}

/** No part is empty, or leads to another folder. Names of Kubernetes have no `_`. */
const PODS = /^[^/_.][^/_]*(?:\/[^/_.][^/_]*){0,2}$/;
