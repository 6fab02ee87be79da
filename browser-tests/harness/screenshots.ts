// `npm run screenshots`: the demo with some life in it, on a desk and on a phone, light and dark.

import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { Bench } from './bench.ts';
import { artifacts } from './folder.ts';

const SIZES = { desk: { width: 1280, height: 900 }, phone: { width: 360, height: 740 } };

async function connect(page: Page, ...addresses: string[]): Promise<void> {
  await page.getByLabel('Address of a peer').fill(addresses.join('\n'));
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
}

async function scene(bench: Bench): Promise<Page> {
  const relay = await bench.relay('relay', { gossip: { topics: ['orders'] } });
  const lost = await bench.node('lost', { node: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] } });
  const other = await bench.page('other');
  await other.start({ topics: ['orders'] });
  await other.connect(relay.address('/ws'));

  const page = await bench.open('demo', `${await bench.url()}/demo/`);
  await connect(page, relay.address('/ws'));
  await connect(page, await other.address('/p2p-circuit/webrtc'));
  await page.locator('.peer [data-path=webrtc]').waitFor();
  await connect(page, lost.address('/ws'));
  await page.locator('.peer [data-path=websocket]').nth(1).waitFor();

  await page.getByRole('button', { name: other.peerId.slice(-8) }).click();
  await say(page, 'Do you still have the 0.25 BTC order?');
  const { peer } = await other.event({ event: 'message_received' });
  await other.send(peer as string, 'Yes, until ten. I can send the quote again:\n<b>0.25 BTC</b> at 71,400, fee 3 sat/vB');
  await say(page, 'Please.');
  await page.locator('.message.mine .about[data-status=done]').nth(1).waitFor();
  await lost.crash();
  await page.waitForTimeout(4_000);
  return page;
}

const bench = new Bench(await mkdtemp(join(tmpdir(), 'darkswap-browser-')));
try {
  const page = await scene(bench);
  await page.locator('#activity summary').click();
  const to = join(artifacts, 'screenshots');
  await mkdir(to, { recursive: true });
  for (const [size, viewport] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      const path = join(to, `demo-${size}-${colorScheme}.png`);
      await page.screenshot({ path, fullPage: true });
      process.stdout.write(`${path}\n`);
    }
  }
} finally {
  await bench.end();
}
