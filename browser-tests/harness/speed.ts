// Chromium against Chromium, as a program that benchmarks ask: a line `set-up` or `transfer MESSAGES` on standard input is answered by
// a line with the milliseconds that it took. It ends with its input.

import { createInterface } from 'node:readline';
import type {} from '../pages/speed/main.ts';
import { launch } from './browser.ts';
import { servePages } from './server.ts';

const server = await servePages();
// Names of multicast DNS instead of addresses would cost the set-up a look-up that nodes do not have.
const browser = await launch(undefined, ['--disable-features=WebRtcHideLocalIpsWithMdns']);
const context = await browser.newContext();
// Each page is a process of its own.
const [sender, receiver] = await Promise.all([context.newPage(), context.newPage()]);
await receiver.goto(`${server.url}/speed/`);
await sender.goto(`${server.url}/speed/`);

for await (const line of createInterface({ input: process.stdin })) {
  const [what, messages] = line.split(' ');
  const took =
    what === 'transfer'
      ? await sender.evaluate((messages) => globalThis.speed.transfer(messages), Number(messages))
      : await sender.evaluate(() => globalThis.speed.setUp());
  process.stdout.write(`${took}\n`);
}
await browser.close();
await server.close();
