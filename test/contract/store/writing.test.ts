// What every store does with documents: it takes each id once, refuses single ones, and knows what is there.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bulkRequest, testId } from '../store-bodies.ts';
import { day, messages, statuses, stores } from './stores.ts';

for (const { name, options, use } of stores) {
  describe(name, options, () => {
    const stored = use();

    it('answers a ping, and a search where nothing was ever written', async () => {
      await stored.store.ping();
      assert.deepEqual(await stored.search({}), []);
    });

    it('may be set up again', async () => {
      const lines = await stored.store.setup();
      assert(lines.length > 0 && lines.every((line) => line !== ''));
    });

    it('gives a document back as it went in', async () => {
      const { since, until, at } = day(1);
      const json = `{"@timestamp":"${at(1)}","message":"naïve \\"text\\"\\n\\u0000 😀","attributes":{"id":18446744073709551615,"price":1.50,"":{"a..b":[1,"x",null]}},"event":{"sequence":7}}`;
      const [document] = stored.numbered([{}]);
      assert(document !== undefined);
      assert.deepEqual(statuses(await stored.write([{ ...document, document: json }])), [201]);
      const [got] = await stored.search({ since, until });
      assert.equal(JSON.stringify(got?.source), json.replaceAll('\\u0000', '\\u0000'));
      assert.equal(got?.id, document.id);
      assert.equal(got?.index, stored.stream);
    });

    it('creates once: the same id again is 409 and changes nothing', async () => {
      const { since, until, at } = day(2);
      const [first, second] = stored.numbered([
        { '@timestamp': at(1), message: 'first' },
        { '@timestamp': at(2), message: 'second' },
      ]);
      assert(first !== undefined && second !== undefined);
      assert.deepEqual(statuses(await stored.write([first])), [201]);
      const other = { ...first, document: { '@timestamp': at(1), message: 'another text' } };
      assert.deepEqual(statuses(await stored.write([other, second])), [409, 201]);
      assert.deepEqual(statuses(await stored.write([first, second])), [409, 409]);
      assert.deepEqual(messages(await stored.search({ since, until })), ['first', 'second']);
    });

    it('creates once within one request too', async () => {
      const { since, until, at } = day(3);
      const [document] = stored.numbered([{ '@timestamp': at(1), message: 'twin' }]);
      assert(document !== undefined);
      assert.deepEqual(statuses(await stored.write([document, document])), [201, 409]);
      assert.equal((await stored.search({ since, until })).length, 1);
    });

    it('refuses single documents, with a reason, and takes the others', async () => {
      const { since, until, at } = day(4);
      const documents = stored.numbered([
        { '@timestamp': at(1), message: 'good' },
        { '@timestamp': 'yesterday', message: 'bad time' },
        { message: 'no time' },
        { '@timestamp': '1969-12-31T23:59:59Z', message: 'too early' },
        { '@timestamp': at(2), message: 'good too' },
      ]);
      const outcomes = await stored.write(documents);
      assert.deepEqual(statuses(outcomes), [201, 400, 400, 400, 201]);
      for (const outcome of outcomes.slice(1, 4)) {
        assert.match(outcome.errorType ?? '', /parsing_exception|illegal_argument_exception/);
        assert.notEqual(outcome.errorReason ?? '', '');
      }
      assert.deepEqual(messages(await stored.search({ since, until })), ['good', 'good too']);
    });

    it('has the same outcomes whatever the body is a part of', async () => {
      const { at } = day(5);
      const request = bulkRequest(stored.numbered([{ '@timestamp': at(1) }, { '@timestamp': at(2) }]));
      const larger = new Uint8Array(request.body.length + 20).fill(0x7b);
      larger.set(request.body, 10);
      const body = larger.subarray(10, 10 + request.body.length);
      assert.deepEqual(statuses(await stored.store.bulk({ ...request, body })), [201, 201]);
      assert.deepEqual(statuses(await stored.store.bulk({ ...request, body })), [409, 409]);
      assert.deepEqual(await stored.store.bulk({ body: new Uint8Array(), items: [] }), []);
    });

    it('takes and gives 10,000 documents at once', async () => {
      const { since, until, at } = day(14);
      const count = 10_500;
      const documents = stored.numbered(
        Array.from({ length: count }, (_, i) => ({
          '@timestamp': at(i),
          message: `line ${i}`,
          event: { sequence: i },
        })),
      );
      const outcomes = await stored.write(documents);
      assert.equal(outcomes.length, count);
      assert(outcomes.every(({ status }) => status === 201));
      const got = await stored.search({ since, until, limit: count + 1 });
      assert.deepEqual(
        got.map(({ id }) => id),
        documents.map(({ id }) => id),
      );
      assert.equal((await stored.search({ since, until, text: 'line', limit: 20_000 })).length, count);
    });

    it('knows what is there after a rollover, also what no search finds yet', async () => {
      const { store } = stored;
      const { at } = day(16);
      const [old, alsoOld, later, never] = stored.numbered([{}, {}, {}, {}].map((_, i) => ({ '@timestamp': at(i) })));
      assert(old && alsoOld && later && never);
      assert.deepEqual(statuses(await store.bulk(bulkRequest([old, alsoOld]))), [201, 201]);
      await stored.opened.rollOver();
      assert.deepEqual(statuses(await store.bulk(bulkRequest([later]))), [201]);

      const indices = await store.backingIndices(stored.stream);
      // A store that takes a name once for all time.
      if (indices.length === 0) return assert.deepEqual(statuses(await store.bulk(bulkRequest([old]))), [409]);
      const [first, write] = indices;
      assert(first && write && indices.length === 2);
      assert(Math.abs(write.createdMs - Date.now()) < 60_000, `made at ${write.createdMs}`);
      // Of 3,000 ids, so that more than one question is needed.
      const others = Array.from({ length: 3000 }, (_, i) => testId(1_000_000, i));
      const ids = [...others, ...[old, alsoOld, later, never].map(({ id }) => id)];
      assert.deepEqual(await store.idsIn(first.name, ids), new Set([old.id, alsoOld.id]));
      assert.deepEqual(await store.idsIn(write.name, ids), new Set([later.id]));
      assert.deepEqual(await store.idsIn('.ds-logs-sluice.nobody-000001', ids), new Set());

      const [again] = await store.bulk(bulkRequest([old]));
      assert.deepEqual(
        [again?.status, again?.backing],
        [201, write.name],
        'the name is free there, and the index told',
      );
      const [conflict] = await store.bulk(bulkRequest([later]));
      assert.deepEqual([conflict?.status, conflict?.backing], [409, write.name]);
      await store.remove(write.name, [old.id, never.id]);
      await store.remove(write.name, [old.id]);
      assert.deepEqual(
        await store.idsIn(write.name, ids),
        new Set([later.id]),
        'a second copy is deleted, in that index only',
      );
      assert.deepEqual(await store.idsIn(first.name, ids), new Set([old.id, alsoOld.id]));
      await stored.opened.close(first.name);
      await assert.rejects(store.idsIn(first.name, ids), { code: 'store_index_closed' });
      assert.equal((await store.backingIndices(stored.stream))[0]?.createdMs, first.createdMs);
      await stored.opened.close(first.name, false);
    });

    it('knows of no index where nothing was written', async () => {
      assert.deepEqual(await stored.store.backingIndices('logs-sluice.nobody-default'), []);
    });

    it('takes a probe, and nobody finds it', async () => {
      assert.equal((await stored.store.probe(stored.stream)).status, 201);
      await stored.opened.refresh();
      assert.deepEqual(await stored.search({ until: '2000-01-01T00:00:00Z' }), []);
    });

    it('rejects with the reason of the signal that was aborted', async () => {
      const reason = new Error('enough');
      await assert.rejects(stored.store.search({ limit: 1, order: 'oldest' }, AbortSignal.abort(reason)), reason);
      const request = bulkRequest(stored.numbered([{ '@timestamp': day(15).at(1) }]));
      await assert.rejects(stored.store.bulk(request, AbortSignal.abort(reason)), reason);
    });
  });
}
