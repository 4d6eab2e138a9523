// Images that others make are named by the digest of their content beside the tag that people read: a tag can be given
// to another image.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const infra = join(import.meta.dirname, '../../infra');
/** In manifests, in the composition, and the defaults of the Dockerfile. */
const NAMED = /^\s*(?:-\s*)?(?:image:|ARG (?:BUILD|BASE)_IMAGE=)\s*(\S+)/gm;
/** Ours: whoever builds or pushes it names it. */
const OWN = /^sluice(?::|$)/;

function namedImages(): [file: string, image: string][] {
  const files = readdirSync(infra, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.ya?ml$|^Dockerfile$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  return files.flatMap((file) =>
    Array.from(readFileSync(file, 'utf8').matchAll(NAMED), ([, image = '']): [string, string] => [file, image]),
  );
}

test('every image of others has a tag and a digest', () => {
  const others = namedImages().filter(([, image]) => !OWN.test(image));
  const names = new Set(others.map(([, image]) => image.replace(/[:@].*/, '')));
  for (const name of ['apache/kafka', 'busybox', 'node', 'gcr.io/distroless/cc-debian13'])
    assert.ok(names.has(name), `${name} is not among the images that were found`);
  for (const [file, image] of others) assert.match(image, /^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/, file);
});
