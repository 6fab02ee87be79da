// Page to page: they meet through our relay and then talk directly.

import assert from 'node:assert/strict';
import { behaviour } from '../harness/bench.ts';

behaviour('two pages meet through a relay, talk directly by WebRTC, and survive the death of the relay', 60, async (bench) => {
  const relay = await bench.relay();
  const [alice, bob] = [await bench.page('alice'), await bench.page('bob')];
  await alice.start();
  await bob.start();
  await alice.connect(relay.address('/ws'));
  const address = await alice.address('/p2p-circuit/webrtc');

  const peer = await bob.connect(address);
  assert.equal(peer.path, 'webrtc');
  assert.equal((await bob.send(alice.peerId, 'hello, alice')).path, 'webrtc');
  assert.equal((await alice.event({ event: 'message_received', peer: bob.peerId })).text, 'hello, alice');
  const large = await alice.sendRandom(bob.peerId, 1 << 20, 3);
  assert.equal(large.receipt.path, 'webrtc');
  assert.equal((await bob.event({ event: 'message_received', id: large.receipt.id })).digest, large.digest);

  await relay.crash();
  await bob.event({ event: 'connection_closed', peer: relay.peerId });
  const after = await bob.send(alice.peerId, 'the relay is gone');
  assert.deepEqual([after.path, after.verdict], ['webrtc', 'delivered']);
  assert.equal((await alice.send(bob.peerId, 'so it is')).path, 'webrtc');
  assert.equal((await bob.peer(alice.peerId))?.link?.state.state, 'connected');
  assert.deepEqual(await bob.events({ event: 'connection_closed', path: 'webrtc' }), []);
});

behaviour('two pages without WebRTC talk through the relay', 60, async (bench) => {
  const before = 'delete globalThis.RTCPeerConnection;';
  const relay = await bench.relay();
  const [alice, bob] = [await bench.page('alice', { before }), await bench.page('bob', { before })];
  await alice.start();
  await bob.start();
  await alice.connect(relay.address('/ws'));
  const peer = await bob.connect(await alice.address('/p2p-circuit'));
  assert.equal(peer.path, 'relayed');
  assert.equal((await bob.send(alice.peerId, 'hello')).path, 'relayed');
  assert.equal((await alice.send(bob.peerId, 'hello')).path, 'relayed');
});

/** Holds the page up once, when the other side is about to be connected: a slow phone. */
const SLOW = `
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  let first = true;
  RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
    await set.call(this, description);
    if (!first) return;
    first = false;
    for (const end = performance.now() + 1000; performance.now() < end; );
  };
`;

behaviour('a page that is too slow for the first negotiation gets its direct path from the next', 60, async (bench) => {
  const relay = await bench.relay();
  const [alice, bob] = [await bench.page('alice'), await bench.page('bob', { before: SLOW })];
  await alice.start();
  await bob.start();
  await alice.connect(relay.address('/ws'));
  assert.equal((await bob.connect(await alice.address('/p2p-circuit/webrtc'))).path, 'webrtc');
});
