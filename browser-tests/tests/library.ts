// The client library's own decisions, without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { multiaddr } from '@multiformats/multiaddr';
import { path, peerAddress } from '../pages/lib/address.ts';
import { Backoff } from '../pages/lib/backoff.ts';
import { decodeAcknowledgement, decodeHeader, encodeAcknowledgement, encodeHeader, idText } from '../pages/lib/message/codec.ts';
import { Inbox, WINDOW } from '../pages/lib/message/inbox.ts';
import { Measurements } from '../pages/lib/quality.ts';

const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN';

test('headers and acknowledgements read back, and their ids are written as the node writes them', () => {
  const id = { session: 0x0f31_c0de_9a7b_4c55n, sequence: 7n };
  assert.deepEqual(decodeHeader(encodeHeader(id, 11), 11), { id, length: 11 });
  assert.deepEqual(decodeAcknowledgement(encodeAcknowledgement(id, 'stale')), { id, verdict: 'stale' });
  assert.equal(idText(id), '0f31c0de9a7b4c55-7');
});

test('another version, a payload beyond the limit and an unknown verdict are refused', () => {
  const id = { session: 1n, sequence: 2n };
  assert.throws(() => decodeHeader(encodeHeader(id, 11), 10), /found a payload of 11 bytes, expected at most 10/);
  const bytes = encodeAcknowledgement(id, 'delivered');
  assert.throws(() => decodeAcknowledgement(bytes.with(17, 9)), /found verdict 9/);
  assert.throws(() => decodeAcknowledgement(bytes.with(0, 2)), /found version 2, expected 1/);
  assert.throws(() => decodeAcknowledgement(bytes.subarray(1)), /found 17 bytes, expected 18/);
});

test('an inbox lets each number of a session through once and forgets what left its window', () => {
  const inbox = new Inbox();
  const admit = (sequence: bigint, session = 7n) => inbox.admit({ session, sequence });
  assert.equal(admit(0n), 'delivered');
  assert.equal(admit(0n), 'duplicate');
  assert.equal(admit(0n, 8n), 'delivered', 'a sender that was started again');
  assert.equal(admit(BigInt(WINDOW) + 5n), 'delivered');
  assert.equal(admit(5n), 'stale');
  assert.equal(admit(6n), 'delivered');
  assert.equal(admit(6n), 'duplicate');
  assert.equal(admit(0xffff_ffff_ffff_ffffn), 'stale', 'the last number of all');
  assert.equal(admit(0xffff_ffff_ffff_fffen), 'delivered');
  assert.equal(admit(0xffff_ffff_ffff_fffen), 'duplicate');
});

test('delays double up to the cap and lie in the upper half', () => {
  for (const random of [0, 0.999]) {
    const backoff = new Backoff(1_000, 8_000, () => random);
    for (const full of [1_000, 2_000, 4_000, 8_000, 8_000]) {
      const delay = backoff.next();
      assert.ok(delay >= full / 2 && delay <= full, `${delay} for ${full}`);
    }
  }
});

test('an address tells its peer and its path', () => {
  const kinds = {
    '/ip4/192.0.2.1/tcp/9002/ws': 'websocket',
    '/dns4/example.org/tcp/443/tls/ws': 'websocket',
    '/ip4/192.0.2.1/udp/4001/webrtc-direct': 'webrtc-direct',
    [`/ip4/192.0.2.1/tcp/9002/ws/p2p/${PEER}/p2p-circuit`]: 'relayed',
    [`/ip4/192.0.2.1/tcp/9002/ws/p2p/${PEER}/p2p-circuit/webrtc`]: 'webrtc',
    '/ip4/192.0.2.1/udp/4001/quic-v1': 'other',
  };
  for (const [address, kind] of Object.entries(kinds)) assert.equal(path(multiaddr(address)), kind, address);
  assert.equal(peerAddress(` /ip4/192.0.2.1/tcp/9002/ws/p2p/${PEER} `).peer, PEER);
  assert.throws(() => peerAddress(`/ip4/192.0.2.1/tcp/9002/ws/p2p/${PEER}/p2p-circuit`), /ends in \/p2p/);
});

test('quality is the median round trip and the share of lost pings, and three losses in a row are the end', () => {
  const measurements = new Measurements();
  for (const ping of [10, undefined, 30, 20]) measurements.add(ping);
  assert.deepEqual(measurements.quality(), { roundTrip: 20, loss: 0.25, pings: 4 });
  for (let lost = 0; lost < 3; lost += 1) {
    assert.equal(measurements.isDead(), false);
    measurements.add(undefined);
  }
  assert.equal(measurements.isDead(), true);
});
