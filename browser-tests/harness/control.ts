// Events of a running node, over its control endpoint (node/src/control.rs): JSON Lines on a Unix socket.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

interface Line {
  reply?: unknown;
  error?: { message: string };
  event?: Record<string, unknown>;
}

/** Follows a node's events until the node ends. Resolves when it is subscribed: no later event is missed. */
export async function follow(socketPath: string, observe: (event: Record<string, unknown>) => void): Promise<Socket> {
  const socket = connect(socketPath);
  await once(socket, 'connect');
  // A node that is killed resets the connection, which is its end and nothing else.
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: socket }).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      if (line.event !== undefined) observe(line.event);
      else if (line.error !== undefined) reject(new Error(line.error.message));
      else resolve();
    });
    socket.once('close', () => reject(new Error(`the control endpoint ${socketPath} closed`)));
    socket.write(`${JSON.stringify({ version: 1, id: 1, request: 'subscribe' })}\n`);
  });
  return socket;
}
