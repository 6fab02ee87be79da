// Browsers and a native node behind real NATs: those of the Linux kernel, in network namespaces.

import assert from 'node:assert/strict';
import { behaviour, type Bench } from '../harness/bench.ts';
import { launch } from '../harness/browser.ts';
import { selectedPairs } from '../harness/ice_log.ts';
import { lacking, Laboratory, PUBLIC, STUN, TURN, type Nat } from '../harness/laboratory.ts';
import type { TestPage } from '../harness/test_page.ts';

interface Scene {
  laboratory: Laboratory;
  /** The public relay's address for browsers. */
  relay: string;
  /** Opens a page in a Chromium on a site's host. */
  page(site: number, iceServers: RTCIceServer[]): Promise<TestPage>;
}

async function scene(bench: Bench, nat: Nat, sites: number): Promise<Scene> {
  const laboratory = await Laboratory.build(bench.folder, nat, sites);
  bench.cleanup(() => laboratory.end());
  const relay = await bench.relay('relay', { node: { listen: [`/ip4/${PUBLIC}/tcp/0/ws`] } }, laboratory.public);
  return {
    laboratory,
    relay: relay.address('/ws'),
    async page(site, iceServers) {
      const browser = await launch(laboratory.chromium(site), laboratory.flags);
      bench.cleanup(() => browser.close());
      const page = await bench.page(`page${site}`, { browser, url: laboratory.url });
      await page.start({ iceServers });
      return page;
    },
  };
}

async function twoBrowsers(bench: Bench, nat: Nat, ice: typeof STUN | typeof TURN) {
  const { relay, page } = await scene(bench, nat, 2);
  const [alice, bob] = [await page(1, ice.browser), await page(2, ice.browser)];
  await alice.connect(relay);
  const peer = await bob.connect(await alice.address('/p2p-circuit/webrtc'), await alice.address('/p2p-circuit'));
  assert.equal((await bob.send(alice.peerId, 'hello, alice')).verdict, 'delivered');
  assert.equal((await alice.send(bob.peerId, 'hello, bob')).verdict, 'delivered');
  return { alice, bob, path: peer.path };
}

/** A browser on site 1 and a node on site 2, which dials nobody but the relay. */
async function browserAndNode(bench: Bench, nat: Nat, ice: typeof STUN | typeof TURN) {
  const { laboratory, relay, page } = await scene(bench, nat, 2);
  const alice = await page(1, ice.browser);
  await alice.connect(relay);
  const config = {
    node: { listen: [], reachability: 'private' },
    relay: { relays: [relay] },
    discovery: { enabled: false },
    webrtc: { ice_servers: ice.node },
  };
  const node = await bench.node('private', config, laboratory.host(2));
  await node.connect(await alice.address('/p2p-circuit'));
  const { path } = await alice.event({ event: 'connection_opened', peer: node.peerId, path: 'webrtc' }, 30_000);
  assert.equal((await alice.send(node.peerId, 'hello, node')).verdict, 'delivered');
  await node.send(alice.peerId, 'hello, page');
  const selected = await node.event({ event: 'ice_selected', peer: alice.peerId });
  return { alice, path, selected };
}

behaviour(
  'two browsers behind NATs that keep ports get a direct path with STUN',
  90,
  async (bench) => {
    const { bob, path } = await twoBrowsers(bench, 'masquerade', STUN);
    assert.equal(path, 'webrtc');
    const [pair] = await selectedPairs(bob.page);
    assert.ok(pair !== undefined && pair.local !== 'relay' && pair.remote !== 'relay', JSON.stringify(pair));
  },
  lacking,
);

behaviour(
  'two browsers behind NATs with random ports stay on the relay with STUN alone',
  120,
  async (bench) => {
    const { path } = await twoBrowsers(bench, 'random', STUN);
    assert.equal(path, 'relayed');
  },
  lacking,
);

behaviour(
  'two browsers behind NATs with random ports get a path through TURN',
  90,
  async (bench) => {
    const { bob, path } = await twoBrowsers(bench, 'random', TURN);
    assert.equal(path, 'webrtc');
    const [pair] = await selectedPairs(bob.page);
    assert.ok(pair?.local === 'relay' || pair?.remote === 'relay', JSON.stringify(pair));
  },
  lacking,
);

behaviour(
  'a browser and a native node behind NATs that keep ports get a direct path with STUN',
  90,
  async (bench) => {
    const { path, selected } = await browserAndNode(bench, 'masquerade', STUN);
    assert.equal(path, 'webrtc');
    assert.ok(selected['local'] !== 'relayed' && selected['remote'] !== 'relayed', JSON.stringify(selected));
  },
  lacking,
);

behaviour(
  'a browser and a native node behind NATs with random ports get a path through TURN',
  90,
  async (bench) => {
    const { path, selected } = await browserAndNode(bench, 'random', TURN);
    assert.equal(path, 'webrtc');
    assert.ok(selected['local'] === 'relayed' || selected['remote'] === 'relayed', JSON.stringify(selected));
  },
  lacking,
);
