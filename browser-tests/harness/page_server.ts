// Serves the pages as a program of its own, so that it can run in a network namespace: `node page_server.mjs HOST PORT`.

import { servePages } from './server.ts';

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);
const server = await servePages(Number(port), host);
process.stdout.write(`${server.url}\n`);
