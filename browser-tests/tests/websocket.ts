// Page to node over WebSocket.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { behaviour, type Bench } from '../harness/bench.ts';

const MIB = 1 << 20;

async function connected(bench: Bench) {
  const node = await bench.node('node', {
    node: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    gossip: { topics: ['orders'] },
    limits: { message_size: '16MiB' },
  });
  const page = await bench.page('page');
  await page.start({ topics: ['orders'], messageSize: 16 * MIB });
  const peer = await page.connect(node.address('/ws'));
  assert.equal(peer.path, 'websocket');
  return { node, page };
}

behaviour('a page and a node identify and ping each other over WebSocket', 30, async (bench) => {
  const { node, page } = await connected(bench);
  await page.event({ event: 'identified', peer: node.peerId });
  const seen = await page.peer(node.peerId);
  assert.match(seen?.agent ?? '', /^darkswap\//);
  assert.ok(seen?.protocols.includes('/darkswap/message/1'), seen?.protocols.join());
  await page.event({ event: 'ping', peer: node.peerId });
  const quality = (await page.peer(node.peerId))?.quality;
  assert.ok(quality?.roundTrip !== undefined && quality.roundTrip < 1_000 && quality.loss === 0, JSON.stringify(quality));

  await node.event({ event: 'connection_opened', peer: page.peerId, transport: 'websocket', path: 'direct', dialer: false });
  await node.event({ event: 'ping', peer: page.peerId });
  const [report] = (await node.peers()).filter((peer) => peer.peer === page.peerId);
  assert.match(report?.agent ?? '', /^darkswap-web\//);
});

behaviour('a page and a node send each other messages over WebSocket', 30, async (bench) => {
  const { node, page } = await connected(bench);
  const receipt = await page.send(node.peerId, 'hello, node');
  assert.deepEqual([receipt.verdict, receipt.path], ['delivered', 'websocket']);
  const received = await node.event({ event: 'message_received', peer: page.peerId, id: receipt.id });
  assert.deepEqual(received['payload'], { text: 'hello, node' });

  const sent = await node.send(page.peerId, 'hello, page');
  assert.equal(sent.path, 'direct');
  assert.equal((await page.event({ event: 'message_received', id: sent.id })).text, 'hello, page');
});

behaviour('gossip passes between a page and a node in both directions over WebSocket', 30, async (bench) => {
  const { node, page } = await connected(bench);
  await page.page.waitForFunction((node) => globalThis.darkswap.client().subscribers('orders').includes(node), node.peerId);
  await page.page.evaluate(() => globalThis.darkswap.publish('orders', 'from the page'));
  const heard = await node.event({ event: 'gossip', topic: 'orders', source: page.peerId });
  assert.deepEqual(heard['payload'], { text: 'from the page' });

  await node.publish('orders', 'from the node');
  assert.equal((await page.event({ event: 'gossip', topic: 'orders', source: node.peerId })).text, 'from the node');
});

behaviour('a message of 16 MiB passes from a page to a node over WebSocket and back', 90, async (bench) => {
  const { node, page } = await connected(bench);
  const up = await page.sendRandom(node.peerId, 16 * MIB, 7);
  const received = await node.event({ event: 'message_received', peer: page.peerId, id: up.receipt.id });
  const { base64 } = received['payload'] as { base64: string };
  assert.equal(sha256(Buffer.from(base64, 'base64')), up.digest);
  assert.equal(node.events.all({ event: 'message_received' }).length, 1, 'delivered once');

  const payload = randomBytes(16 * MIB);
  const down = await node.send(page.peerId, payload);
  const arrived = await page.event({ event: 'message_received', id: down.id });
  assert.deepEqual([arrived.size, arrived.digest], [16 * MIB, sha256(payload)]);
  // Not even noticed by what else goes on: the connection is the one it was.
  assert.equal((await page.events({ event: 'connection_closed' })).length, 0);
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
