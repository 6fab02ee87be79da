// Page to node over webrtc-direct, with nothing of js-libp2p's settings changed.

import assert from 'node:assert/strict';
import { behaviour, type Bench } from '../harness/bench.ts';

const KIB = 1 << 10;
/** js-libp2p's connection monitor with its defaults pings every 10 s and closes the connection at the first failure. */
const DEFAULTS = { pings: 'libp2p' } as const;

async function connected(bench: Bench) {
  const node = await bench.node('node', { node: { listen: ['/ip4/127.0.0.1/udp/0/webrtc-direct'] }, gossip: { topics: ['orders'] } });
  const page = await bench.page('page');
  await page.start({ ...DEFAULTS, topics: ['orders'] });
  const peer = await page.connect(node.address('/webrtc-direct'));
  assert.equal(peer.path, 'webrtc-direct');
  return { node, page };
}

behaviour('a page and a node exchange 16 KiB messages and gossip over webrtc-direct', 60, async (bench) => {
  const { node, page } = await connected(bench);
  const up = await page.sendRandom(node.peerId, 16 * KIB, 5);
  assert.deepEqual([up.receipt.path, up.receipt.verdict], ['webrtc-direct', 'delivered']);
  await node.event({ event: 'message_received', peer: page.peerId, id: up.receipt.id });
  const text = 'x'.repeat(16 * KIB);
  const down = await node.send(page.peerId, text);
  assert.equal(down.path, 'direct');
  assert.equal((await page.event({ event: 'message_received', id: down.id })).size, 16 * KIB);

  await page.page.waitForFunction((node) => globalThis.darkswap.client().subscribers('orders').includes(node), node.peerId);
  await page.page.evaluate(() => globalThis.darkswap.publish('orders', 'from the page'));
  await node.event({ event: 'gossip', topic: 'orders', source: page.peerId });
  await node.publish('orders', 'from the node');
  await page.event({ event: 'gossip', topic: 'orders', source: node.peerId, text: 'from the node' });
});

behaviour('200 streams in sequence and 60 at once work over one webrtc-direct connection', 120, async (bench) => {
  const { node, page } = await connected(bench);
  // Each message has a stream of its own.
  const sequential = await page.page.evaluate(async (node) => {
    const verdicts: string[] = [];
    for (let at = 0; at < 200; at += 1) verdicts.push((await globalThis.darkswap.send(node, `message ${at}`)).verdict);
    return verdicts;
  }, node.peerId);
  assert.deepEqual(sequential, Array(200).fill('delivered'));

  const concurrent = await page.page.evaluate(async (node) => {
    const sent = Array.from({ length: 60 }, (_, at) => globalThis.darkswap.sendRandom(node, 16 * 1024, at + 1));
    return (await Promise.all(sent)).map(({ receipt }) => receipt.verdict);
  }, node.peerId);
  assert.deepEqual(concurrent, Array(60).fill('delivered'));
  assert.equal(node.events.all({ event: 'message_received' }).length, 260);
  assert.deepEqual(await page.events({ event: 'message_retried' }), []);
  assert.deepEqual(await page.events({ event: 'connection_closed' }), []);
});

behaviour('a webrtc-direct connection is still there after 60 idle seconds', 100, async (bench) => {
  const { node, page } = await connected(bench);
  await page.page.waitForTimeout(60_000);
  assert.deepEqual(await page.events({ event: 'connection_closed' }), []);
  assert.deepEqual(node.events.all({ event: 'connection_closed' }), []);
  const receipt = await page.send(node.peerId, 'still there?');
  assert.deepEqual([receipt.verdict, receipt.path], ['delivered', 'webrtc-direct']);
});

behaviour('a page returns by itself to a node that was restarted, at the same webrtc-direct address', 90, async (bench) => {
  const { node, page } = await connected(bench);
  const address = node.address('/webrtc-direct');
  await node.stop();
  await page.event({ event: 'connection_closed', peer: node.peerId }, 30_000);
  await node.restart();
  assert.equal(node.address('/webrtc-direct'), address, 'the certificate hash is the same after a restart');
  const receipt = await page.page.evaluate(
    (node) => globalThis.darkswap.client().send(node, new TextEncoder().encode('welcome back'), { deadline: 60_000 }),
    node.peerId,
  );
  assert.equal(receipt.path, 'webrtc-direct');
  await node.event({ event: 'message_received', id: receipt.id });
});
