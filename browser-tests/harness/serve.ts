// `npm run demo`: the demo on http://127.0.0.1:8000/demo/ beside a relaying node of its own, until Ctrl-C.

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DarkSwap } from './darkswap.ts';
import { servePages } from './server.ts';

const PORT = Number(process.env['PORT'] ?? 8_000);

const server = await servePages(PORT);
const node = await DarkSwap.start('demo', await mkdtemp(join(tmpdir(), 'darkswap-demo-')), {
  node: { listen: ['/ip4/127.0.0.1/tcp/0/ws'], reachability: 'public' },
  relay: { server: true },
  gossip: { topics: ['orders'] },
});
process.stdout.write(`${server.url}/demo/?connect=${encodeURIComponent(node.address('/ws'))}\n`);
