// The libp2p node inside a client: transports that this browser has, and settings that agree with the DarkSwap node.

import { noise } from '@chainsafe/libp2p-noise';
import { yamux } from '@chainsafe/libp2p-yamux';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { gossipsub, type GossipSub, type Message } from '@libp2p/gossipsub';
import { identify, identifyPush } from '@libp2p/identify';
import type { Libp2p } from '@libp2p/interface';
import { ping } from '@libp2p/ping';
import { webRTC, webRTCDirect } from '@libp2p/webrtc';
import { webSockets } from '@libp2p/websockets';
import { createLibp2p } from 'libp2p';
import { hasWebRtc } from './address.ts';

/** What a client can be told. */
export interface ClientOptions {
  /** Gossip topics to subscribe to. */
  topics?: string[];
  /** STUN and TURN servers for paths between peers. Without any, peers behind different NATs meet through the relay only. */
  iceServers?: RTCIceServer[];
  /** Use TURN servers only, so that peers do not learn this browser's address. */
  relayOnly?: boolean;
  /** Whether others can reach this page: through every connected node that relays, and then directly by WebRTC. */
  reachable?: boolean;
  /** Largest message that is taken, in bytes. */
  messageSize?: number;
  /**
   * Who pings: `client` measures each path and closes it after three lost pings; `libp2p` is js-libp2p's connection monitor with its
   * defaults, which closes it after the first. Only one of them can be right at a time, see `quality.ts`.
   */
  pings?: 'client' | 'libp2p';
}

export type Services = { pubsub: GossipSub };

export async function startLibp2p(options: ClientOptions): Promise<Libp2p<Services>> {
  const rtcConfiguration: RTCConfiguration = { iceServers: options.iceServers ?? [] };
  if (options.relayOnly === true) rtcConfiguration.iceTransportPolicy = 'relay';
  const webRtc = hasWebRtc() ? [webRTC({ rtcConfiguration }), webRTCDirect()] : [];
  const listen = options.reachable === false ? [] : ['/p2p-circuit', ...(hasWebRtc() ? ['/webrtc'] : [])];
  return createLibp2p({
    nodeInfo: { name: 'darkswap-web', version: '0.1.0' },
    addresses: { listen },
    transports: [webSockets(), ...webRtc, circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: options.pings === 'libp2p' },
    // The default refuses private addresses and WebSocket without TLS. Here people name addresses themselves, and `obstacle` tells
    // them what a browser cannot dial.
    connectionGater: { denyDialMultiaddr: () => false },
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      pubsub: gossipsub({ msgIdFn: gossipId }),
    },
  });
}

/** The name of a gossip message as nodes compute it (node/src/node/behaviour.rs): 16 bytes of the signer's peer id, and its number. */
function gossipId(message: Message): Uint8Array {
  const key = message.type === 'signed' ? message.from.toMultihash().bytes.slice(-16) : new Uint8Array(0);
  const id = new Uint8Array(key.byteLength + 8);
  id.set(key);
  new DataView(id.buffer).setBigUint64(key.byteLength, message.type === 'signed' ? message.sequenceNumber : 0n);
  return id;
}
