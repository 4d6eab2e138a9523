import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANYONE, allowedTag } from '#forwarder/intake/principal.ts';

test('a tag gets its prefix, and then has to match', () => {
  const principal = { tenant: 't', tagPrefix: 'p.', tags: ['p.a.*'] };
  assert.equal(allowedTag(principal, 'a.b'), 'p.a.b');
  assert.throws(() => allowedTag(principal, 'b'), { code: 'tag_refused' });
  assert.throws(() => allowedTag({ ...principal, tags: [] }, 'a.b'), { code: 'tag_refused' });
  assert.equal(allowedTag(ANYONE, 'x'.repeat(1024)), 'x'.repeat(1024));
  assert.throws(() => allowedTag({ ...ANYONE, tagPrefix: 'p.' }, 'x'.repeat(1023)), { code: 'tag_invalid' });
});
