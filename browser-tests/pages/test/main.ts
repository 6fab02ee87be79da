// The page of the browser tests: the client library, driven from outside through `globalThis.darkswap`.

import { Client, type ClientEvent, type ClientOptions, type Peer, type Receipt } from '../lib/index.ts';

/** How long a page waits for a connection. */
const CONNECTING = 45_000;

/** An event without its bytes: their number and their SHA-256 instead, and the text when they are a short one. */
export type SeenEvent = Record<string, unknown> & { event: string; size?: number; digest?: string; text?: string };

export interface SentRandom {
  digest: string;
  receipt: Receipt;
}

export interface Driver {
  client(): Client;
  start(options: ClientOptions): Promise<string>;
  connect(addresses: string[]): Promise<Peer>;
  disconnect(peer: string): Promise<void>;
  peer(peer: string): Peer | undefined;
  event(pattern: Record<string, unknown>, time: number): Promise<SeenEvent>;
  events(pattern: Record<string, unknown>): Promise<SeenEvent[]>;
  address(end: string, time: number): Promise<string>;
  send(peer: string, text: string): Promise<Receipt>;
  sendRandom(peer: string, size: number, seed: number): Promise<SentRandom>;
  publish(topic: string, text: string): Promise<void>;
}

declare global {
  var darkswap: Driver;
}

/** Events kept; payloads are kept with them. */
const KEPT = 2_000;
const seen: ClientEvent[] = [];
let started: Client | undefined;

function client(): Client {
  if (started === undefined) throw new Error('the client is not started');
  return started;
}

async function start(options: ClientOptions): Promise<string> {
  started = await Client.start(options);
  started.observe((event) => {
    seen.push(event);
    if (seen.length > KEPT) seen.shift();
    show(event);
  });
  return started.peerId;
}

async function connect(addresses: string[]): Promise<Peer> {
  const link = client().connect(...addresses);
  const reasons: string[] = [];
  for (const end = Date.now() + CONNECTING; Date.now() < end; await wake(100)) {
    if (link.state.state === 'waiting') reasons.splice(0, reasons.length, ...link.state.reasons);
    const peer = found(link.peer);
    if (link.state.state === 'connected' && peer?.path !== undefined) return peer;
  }
  throw new Error(`not connected within ${CONNECTING / 1_000} s: ${reasons.join('; ')}`);
}

function found(id: string): Peer | undefined {
  return client().peers().find((peer) => peer.peer === id);
}

async function event(pattern: Record<string, unknown>, time: number): Promise<SeenEvent> {
  const past = seen.find((event) => matches(event, pattern));
  if (past !== undefined) return summary(past);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      forget();
      const last = seen.slice(-8).map((event) => event.event).join(', ');
      reject(new Error(`no event ${JSON.stringify(pattern)} within ${time / 1_000} s; the last were ${last}`));
    }, time);
    const forget = client().observe((event) => {
      if (!matches(event, pattern)) return;
      clearTimeout(timer);
      forget();
      resolve(summary(event));
    });
  });
}

async function address(end: string, time: number): Promise<string> {
  for (const until = Date.now() + time; Date.now() < until; await wake(50)) {
    const found = client().addresses().find((address) => address.replace(/\/p2p\/[^/]+$/, '').endsWith(end));
    if (found !== undefined) return found;
  }
  throw new Error(`no address ends in ${end} within ${time / 1_000} s, only ${client().addresses().join(', ') || 'none'}`);
}

async function sendRandom(peer: string, size: number, seed: number): Promise<SentRandom> {
  const bytes = random(size, seed);
  const receipt = await client().send(peer, bytes, { deadline: 120_000 });
  return { digest: await digest(bytes), receipt };
}

/** Pseudo-random bytes (xorshift32): incompressible, and the same for the same seed. */
function random(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed | 1;
  for (let at = 0; at < size; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 255;
  }
  return bytes;
}

function matches(event: ClientEvent, pattern: Record<string, unknown>): boolean {
  const text = 'payload' in event && event.payload.byteLength <= 4_096 ? new TextDecoder().decode(event.payload) : undefined;
  const fields: Record<string, unknown> = { ...event, text };
  return Object.entries(pattern).every(([name, expected]) => fields[name] === expected);
}

async function summary(event: ClientEvent): Promise<SeenEvent> {
  if (!('payload' in event)) return { ...event };
  const { payload, ...rest } = event;
  const text = payload.byteLength <= 4_096 ? { text: new TextDecoder().decode(payload) } : {};
  return { ...rest, ...text, size: payload.byteLength, digest: await digest(payload) };
}

async function digest(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The last events, for the screenshot of a failed test. */
function show(event: ClientEvent): void {
  const log = document.getElementById('log');
  const line = JSON.stringify(event, (name, value) => (name === 'payload' ? `${value.byteLength} bytes` : value));
  if (log !== null) log.textContent = `${log.textContent ?? ''}${line}\n`.split('\n').slice(-40).join('\n');
}

function wake(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

globalThis.darkswap = {
  client,
  start,
  connect,
  disconnect: (peer) => client().disconnect(peer),
  peer: found,
  event,
  events: (pattern) => Promise.all(seen.filter((event) => matches(event, pattern)).map(summary)),
  address,
  send: (peer, text) => client().send(peer, new TextEncoder().encode(text)),
  sendRandom,
  publish: (topic, text) => client().publish(topic, new TextEncoder().encode(text)),
};
