// The page of the tests, from outside. Its inside is pages/test/main.ts.

import type { Page } from 'playwright-core';
import type { Peer, ClientOptions } from '../pages/lib/index.ts';
import type { SeenEvent, SentRandom } from '../pages/test/main.ts';

/** How long a page may take to show an event. */
const EVENT = 20_000;

export class TestPage {
  peerId = '';

  constructor(
    readonly page: Page,
    readonly name: string,
  ) {}

  /** Starts the page's client. */
  async start(options: ClientOptions = {}): Promise<void> {
    this.peerId = await this.page.evaluate((options) => globalThis.darkswap.start(options), options);
  }

  /** Connects to a peer by its addresses and waits for the connection: the peer as the page sees it. */
  connect(...addresses: string[]): Promise<Peer> {
    return this.page.evaluate((addresses) => globalThis.darkswap.connect(addresses), addresses);
  }

  disconnect(peer: string): Promise<void> {
    return this.page.evaluate((peer) => globalThis.darkswap.disconnect(peer), peer);
  }

  peer(peer: string): Promise<Peer | undefined> {
    return this.page.evaluate((peer) => globalThis.darkswap.peer(peer), peer);
  }

  /** Waits for an event, past or future. Patterns of regular expressions are not possible here. */
  event(pattern: Record<string, string | number | boolean>, time = EVENT): Promise<SeenEvent> {
    return this.page.evaluate(([pattern, time]) => globalThis.darkswap.event(pattern, time), [pattern, time] as const);
  }

  events(pattern: Record<string, string | number | boolean> = {}): Promise<SeenEvent[]> {
    return this.page.evaluate((pattern) => globalThis.darkswap.events(pattern), pattern);
  }

  /** Waits until the page has an address that others can dial and that ends like this. */
  address(end: string, time = EVENT): Promise<string> {
    return this.page.evaluate(([end, time]) => globalThis.darkswap.address(end, time), [end, time] as const);
  }

  send(peer: string, text: string): Promise<SentRandom['receipt']> {
    return this.page.evaluate(([peer, text]) => globalThis.darkswap.send(peer, text), [peer, text] as const);
  }

  /** Sends so many pseudo-random bytes as one message. */
  sendRandom(peer: string, size: number, seed: number): Promise<SentRandom> {
    return this.page.evaluate(([peer, size, seed]) => globalThis.darkswap.sendRandom(peer, size, seed), [peer, size, seed] as const);
  }
}
