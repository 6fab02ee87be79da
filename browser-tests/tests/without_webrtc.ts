// A browser without WebRTC: some embedded ones lack it, and some people switch it off.

import assert from 'node:assert/strict';
import { behaviour } from '../harness/bench.ts';

const WITHOUT = 'delete globalThis.RTCPeerConnection; delete globalThis.webkitRTCPeerConnection;';
/** A webrtc-direct address that nobody listens on: it has to be left out, not tried. */
const DIRECT = '/ip4/127.0.0.1/udp/9/webrtc-direct/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ';

behaviour('a page without WebRTC falls back to WebSocket and says so', 30, async (bench) => {
  const node = await bench.node('node', { node: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] } });
  const page = await bench.page('page', { before: WITHOUT });
  await page.start();
  assert.equal(await page.page.evaluate(() => globalThis.darkswap.client().webRtc), false);
  const peer = await page.connect(`${DIRECT}/p2p/${node.peerId}`, node.address('/ws'));
  assert.equal(peer.path, 'websocket');
  assert.deepEqual(peer.link?.skipped.map(({ reason }) => reason), ['this browser has no WebRTC']);
  assert.equal((await page.send(node.peerId, 'hello')).verdict, 'delivered');
});

behaviour('a page without WebRTC refuses a WebRTC address with the reason', 30, async (bench) => {
  const page = await bench.page('page', { before: WITHOUT });
  await page.start();
  const address = `${DIRECT}/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN`;
  await assert.rejects(page.connect(address), /this browser has no WebRTC/);
});

behaviour('the demo says that the browser has no WebRTC and connects by WebSocket', 30, async (bench) => {
  const node = await bench.node('node', { node: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] } });
  const page = await bench.open('demo', `${await bench.url()}/demo/`, { before: WITHOUT });
  await page.getByText('This browser has no WebRTC').waitFor();
  await page.getByLabel('Address of a peer').fill(`${DIRECT}/p2p/${node.peerId}\n${node.address('/ws')}`);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.locator('[data-path=websocket]').first().waitFor();
});
