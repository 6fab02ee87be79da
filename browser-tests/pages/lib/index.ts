/**
 * DarkSwap for web pages: a client that connects to DarkSwap nodes and to other pages.
 *
 * | module | noun |
 * |---|---|
 * | `client` | the client: the one class that a page needs |
 * | `libp2p` | the libp2p node inside it, and the options |
 * | `link` | a wish to be connected to one peer, with back-off |
 * | `messenger`, `message/*` | messages that are delivered once or reported to their sender |
 * | `quality` | pings: round trip and loss of a path |
 * | `address` | what an address means and whether this browser can use it |
 * | `event` | what a client tells |
 *
 * Invariants: every queue and retry is bounded; text of peers is data and never markup; nobody is dialled whom the page did not name.
 * Deliberately absent: the DHT, storage of keys (a client has a new identity each time), and any framework.
 */
export { AddressError, hasWebRtc, path, reason, type Path } from './address.ts';
export { Client, type Peer } from './client.ts';
export type { ClientEvent } from './event.ts';
export type { ClientOptions } from './libp2p.ts';
export type { Link, LinkState, Skipped } from './link.ts';
export type { Receipt, SendOptions } from './messenger.ts';
export type { Quality } from './quality.ts';
