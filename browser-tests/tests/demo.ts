// The demo, used as a person would.

import assert from 'node:assert/strict';
import { behaviour } from '../harness/bench.ts';

behaviour('the demo shows a peer with path and quality, and messages both ways', 60, async (bench) => {
  const node = await bench.node('node', { node: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] }, gossip: { topics: ['orders'] } });
  const page = await bench.open('demo', `${await bench.url()}/demo/`);
  await page.getByLabel('Address of a peer').fill(node.address('/ws'));
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.locator('.peer [data-path=websocket]').waitFor();
  await page.locator('.peer .facts', { hasText: /ms · 0 % loss · outbound · darkswap\// }).waitFor();

  await page.getByRole('button', { name: node.peerId.slice(-8) }).click();
  await page.getByLabel('Message', { exact: true }).fill('hello, node');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.locator('.message.mine', { hasText: /hello, node.*acknowledged in \d+ ms · websocket/s }).waitFor();
  const { peer, payload } = await node.event({ event: 'message_received' });
  assert.deepEqual(payload, { text: 'hello, node' });

  await node.send(peer as string, '<b>hello</b>, page');
  await page.locator('.message:not(.mine) .text', { hasText: '<b>hello</b>, page' }).waitFor();
});

behaviour('the demo shows a lost node, its next try, and that it is back', 60, async (bench) => {
  const node = await bench.node('node', { node: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] } });
  const page = await bench.open('demo', `${await bench.url()}/demo/`);
  await page.getByLabel('Address of a peer').fill(node.address('/ws'));
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.locator('.peer [data-path=websocket]').waitFor();

  await node.crash();
  await page.locator('.peer .badge', { hasText: /next try in \d+ s/ }).waitFor();
  await page.locator('.peer .error', { hasText: /the connection was lost|websocket: / }).waitFor();
  await node.restart();
  await page.getByRole('button', { name: 'Try now' }).click({ timeout: 3_000 }).catch(() => {
    // It may have been quicker by itself.
  });
  await page.locator('.peer [data-path=websocket]').waitFor();
});

behaviour('the demo says what is wrong with an address', 30, async (bench) => {
  const page = await bench.open('demo', `${await bench.url()}/demo/`);
  await page.locator('#me', { hasText: '…' }).waitFor();
  const connect = async (address: string) => {
    await page.getByLabel('Address of a peer').fill(address);
    await page.getByRole('button', { name: 'Connect', exact: true }).click();
  };
  await connect('nonsense');
  await page.getByText('found "nonsense", expected an address such as').waitFor();
  await connect('/ip4/192.0.2.1/tcp/9002/ws');
  await page.getByText('expected an address that ends in /p2p/<peer id>').waitFor();
  await connect('/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN');
  await page.getByText('browsers dial WebSocket and WebRTC addresses only').waitFor();
});
