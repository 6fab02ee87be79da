// Addresses: whose they are, how they lead there, and whether this browser can use them.

import { multiaddr, type Multiaddr } from '@multiformats/multiaddr';

/** How a connection goes. `webrtc` is peer to peer, agreed on through a relay; `webrtc-direct` leads to a public node. */
export type Path = 'websocket' | 'webrtc-direct' | 'webrtc' | 'relayed' | 'other';

/** An address that cannot be used, with what was found and what was expected. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

export interface PeerAddress {
  peer: string;
  address: Multiaddr;
}

/** Reads an address that ends in `/p2p/<peer id>`. */
export function peerAddress(text: string): PeerAddress {
  let address: Multiaddr;
  try {
    address = multiaddr(text.trim());
  } catch (error) {
    throw new AddressError(`found "${text}", expected an address such as /ip4/192.0.2.1/tcp/9002/ws/p2p/12D3Koo...: ${reason(error)}`);
  }
  const last = address.getComponents().at(-1);
  if (last?.name !== 'p2p' || last.value === undefined) {
    throw new AddressError(`found "${text}", expected an address that ends in /p2p/<peer id>`);
  }
  return { peer: last.value, address };
}

/** The path that an address names. */
export function path(address: Multiaddr): Path {
  const names = new Set(address.getComponents().map((component) => component.name));
  if (names.has('webrtc')) return 'webrtc';
  if (names.has('p2p-circuit')) return 'relayed';
  if (names.has('webrtc-direct')) return 'webrtc-direct';
  if (names.has('ws') || names.has('wss')) return 'websocket';
  return 'other';
}

/** Whether the browser has WebRTC. Some have it switched off, and some embedded ones lack it. */
export function hasWebRtc(): boolean {
  return typeof globalThis.RTCPeerConnection === 'function';
}

/** Why this page cannot dial an address, if it cannot. */
export function obstacle(address: Multiaddr): string | undefined {
  const kind = path(address);
  if ((kind === 'webrtc' || kind === 'webrtc-direct') && !hasWebRtc()) return 'this browser has no WebRTC';
  if (kind === 'other') return 'browsers dial WebSocket and WebRTC addresses only';
  const names = address.getComponents().map((component) => component.name);
  const encrypted = names.includes('wss') || names.includes('tls');
  if (kind === 'websocket' && !encrypted && globalThis.location?.protocol === 'https:') {
    return 'a page that came over https may not open a WebSocket without TLS';
  }
  return undefined;
}

/** What went wrong, in words. */
export function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reason).join('; ');
  if (error instanceof Error) return error.message || error.name;
  // What a WebSocket that does not open fails with: browsers hide the reason, so that pages cannot explore networks.
  if (error instanceof Event) return 'it could not be opened; the browser does not tell why';
  return String(error);
}
