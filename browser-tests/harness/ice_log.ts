// A script for pages: writes what every RTCPeerConnection does to the console, and keeps the connections for `selectedPairs`.

import type { Page } from 'playwright-core';

export const ICE_LOG = `(() => {
  const Original = globalThis.RTCPeerConnection;
  if (Original === undefined) return;
  globalThis.peerConnections = [];
  globalThis.RTCPeerConnection = class extends Original {
    constructor(...settings) {
      super(...settings);
      const number = globalThis.peerConnections.push(this);
      const note = (text) => console.debug('peer connection ' + number + ': ' + text);
      note('made with ' + JSON.stringify(settings[0]?.iceServers?.map(({ urls }) => urls) ?? []));
      this.addEventListener('icecandidate', ({ candidate }) => note(candidate?.candidate ? 'local ' + candidate.candidate : 'no more candidates'));
      this.addEventListener('icecandidateerror', (event) => note('candidate error ' + event.errorCode + ' ' + event.errorText + ' ' + event.url));
      this.addEventListener('iceconnectionstatechange', () => note('ice ' + this.iceConnectionState));
      this.addEventListener('connectionstatechange', () => note(this.connectionState));
      this.addEventListener('datachannel', ({ channel }) => note('inbound channel ' + channel.id));
    }
    createDataChannel(label, options) {
      const channel = super.createDataChannel(label, options);
      if (label !== '') {
        for (const name of ['open', 'closing', 'close']) channel.addEventListener(name, () => console.debug('channel ' + label + ': ' + name));
      }
      return channel;
    }
    async addIceCandidate(candidate) {
      console.debug('remote ' + (candidate?.candidate ?? 'end of candidates'));
      return super.addIceCandidate(candidate);
    }
  };
})();`;

/** A selected pair of ICE candidates. */
export interface Pair {
  state: string;
  local: string;
  remote: string;
  /** Whether TURN carries it at this end. */
  relayed: boolean;
}

/** The selected pairs of a page's open peer connections: kinds of both candidates. */
export function selectedPairs(page: Page): Promise<Pair[]> {
  return page.evaluate(async () => {
    const connections = (globalThis as unknown as { peerConnections: RTCPeerConnection[] }).peerConnections;
    const pairs: Pair[] = [];
    for (const connection of connections) {
      const stats = await connection.getStats();
      const all = new Map<string, Record<string, string>>();
      stats.forEach((stat) => all.set(stat.id, stat));
      for (const stat of all.values()) {
        const pair = stat['type'] === 'transport' ? all.get(stat['selectedCandidatePairId'] ?? '') : undefined;
        const local = all.get(pair?.['localCandidateId'] ?? '')?.['candidateType'];
        const remote = all.get(pair?.['remoteCandidateId'] ?? '')?.['candidateType'];
        if (local === undefined || remote === undefined) continue;
        pairs.push({ state: connection.connectionState, local, remote, relayed: local === 'relay' });
      }
    }
    return pairs.filter(({ state }) => state === 'connected');
  });
}
