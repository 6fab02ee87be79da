// Page to a native node that listens nowhere and is only reachable through a relay: they get a direct connection by WebRTC.

import assert from 'node:assert/strict';
import { behaviour, type Bench } from '../harness/bench.ts';
import type { DarkSwap } from '../harness/darkswap.ts';

async function scene(bench: Bench) {
  const relay = await bench.relay();
  const node = await bench.node('private', {
    node: { listen: [], reachability: 'private' },
    relay: { relays: [relay.address('/ws')] },
    discovery: { enabled: false },
    // Nobody on the internet is asked.
    webrtc: { ice_servers: [] },
  });
  await reserved(node, relay);
  const page = await bench.page('page');
  await page.start();
  return { relay, node, page };
}

/** Waits until the node holds its reservation. That may have happened before anybody followed its events. */
async function reserved(node: DarkSwap, relay: DarkSwap): Promise<void> {
  const status = async () => JSON.parse(await node.command('status', '--json')) as { reservations: string[] };
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await status()).reservations.includes(relay.peerId)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the private node has no reservation after 10 s');
}

behaviour('a page dials a native node behind a relay and gets a direct WebRTC path', 60, async (bench) => {
  const { relay, node, page } = await scene(bench);
  const peer = await page.connect(`${relay.address('/ws')}/p2p-circuit/webrtc/p2p/${node.peerId}`);
  assert.equal(peer.path, 'webrtc');
  const receipt = await page.send(node.peerId, 'hello, node');
  assert.equal(receipt.path, 'webrtc');
  await node.event({ event: 'message_received', id: receipt.id });

  // Until then the relayed connection is there, too, and may carry a message.
  await relay.crash();
  await page.event({ event: 'connection_closed', peer: relay.peerId });
  await node.event({ event: 'connection_closed', peer: relay.peerId });
  assert.equal((await page.send(node.peerId, 'the relay is gone')).path, 'webrtc');
  assert.equal((await node.send(page.peerId, 'so it is')).path, 'direct');
});

behaviour('a native node behind a relay dials a page and gets a direct WebRTC path', 60, async (bench) => {
  const { relay, node, page } = await scene(bench);
  await page.connect(relay.address('/ws'));
  await node.connect(await page.address('/p2p-circuit'));
  await page.event({ event: 'connection_opened', peer: node.peerId, path: 'webrtc' });
  await node.event({ event: 'connection_opened', peer: page.peerId, path: 'direct' });
  await relay.crash();
  await page.event({ event: 'connection_closed', peer: relay.peerId });
  await node.event({ event: 'connection_closed', peer: relay.peerId });
  const sent = await node.send(page.peerId, 'hello, page');
  assert.equal(sent.path, 'direct');
  assert.equal((await page.event({ event: 'message_received', id: sent.id })).path, 'webrtc');
  assert.equal((await page.send(node.peerId, 'hello, node')).path, 'webrtc');
});
