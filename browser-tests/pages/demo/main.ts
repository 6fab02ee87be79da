// The demo: connect to peers, see how and how well, talk to them. A starting point for a client of your own.

import { Client, reason, type ClientEvent } from '../lib/index.ts';
import { note } from './activity.ts';
import { about, Conversations, readable } from './conversation.ts';
import { element, make, say, short } from './element.ts';
import { iceServers } from './ice.ts';
import { PeerList } from './peers.ts';

const TOPIC = 'orders';
/** The settings that this browser keeps: they are no secrets but a TURN password, which TURN's own protocol guards little better. */
const ICE = 'darkswap.ice';
const ADDRESS = 'darkswap.address';

async function main(): Promise<void> {
  prepareForms();
  const client = await Client.start({ topics: [TOPIC], iceServers: iceServers(localStorage.getItem(ICE) ?? '') });
  if (!client.webRtc) {
    say(element('notice'), 'This browser has no WebRTC. Nodes can be reached by WebSocket only, and other pages through a relay.');
  }
  element('me').textContent = short(client.peerId);
  element('me').title = client.peerId;

  const conversations = new Conversations(TOPIC);
  const peers = new PeerList(client, (peer) => {
    conversations.choose(peer);
    draw();
  });
  element('everybody').addEventListener('click', () => {
    conversations.choose(undefined);
    draw();
  });
  let drawing = 0;
  const draw = () => {
    drawing ||= requestAnimationFrame(() => {
      drawing = 0;
      peers.draw(conversations.chosen);
      conversations.draw();
    });
  };

  client.observe((event) => {
    note(event);
    converse(conversations, event);
    if (event.event === 'addresses_changed') showAddresses(event.addresses);
    draw();
  });
  // Pauses count down.
  setInterval(draw, 1_000);
  onConnect(client, draw);
  onSend(client, conversations, draw);
  draw();
}

function prepareForms(): void {
  element<HTMLTextAreaElement>('address').value =
    new URLSearchParams(location.search).get('connect') ?? localStorage.getItem(ADDRESS) ?? '';
  element<HTMLTextAreaElement>('ice').value = localStorage.getItem(ICE) ?? '';
  element('options').addEventListener('submit', (event) => {
    event.preventDefault();
    localStorage.setItem(ICE, element<HTMLTextAreaElement>('ice').value);
    location.reload();
  });
}

function onConnect(client: Client, draw: () => void): void {
  element('connect').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = element<HTMLTextAreaElement>('address').value.trim();
    try {
      client.connect(...text.split(/\s+/));
      localStorage.setItem(ADDRESS, text);
      say(element('connect-error'), '');
    } catch (error) {
      say(element('connect-error'), reason(error));
    }
    draw();
  });
}

function onSend(client: Client, conversations: Conversations, draw: () => void): void {
  element('send').addEventListener('submit', async (event) => {
    event.preventDefault();
    const input = element<HTMLInputElement>('text');
    const text = input.value;
    const to = conversations.chosen;
    const entry = conversations.add(to, { mine: true, text, about: about('sending'), status: 'sending' });
    input.value = '';
    draw();
    try {
      const bytes = new TextEncoder().encode(text);
      if (to === undefined) {
        await client.publish(TOPIC, bytes);
        entry.about = about('published');
      } else {
        const receipt = await client.send(to, bytes);
        entry.about = about(`acknowledged in ${receipt.elapsed.toFixed(0)} ms`, receipt.path);
      }
      entry.status = 'done';
    } catch (error) {
      entry.about = about(`failed: ${reason(error)}`);
      entry.status = 'failed';
    }
    draw();
  });
}

function converse(conversations: Conversations, event: ClientEvent): void {
  if (event.event === 'message_received') {
    const entry = { mine: false, text: readable(event.payload), about: about(event.path), status: 'done' } as const;
    conversations.add(event.peer, entry);
    // The first message of somebody while nobody is chosen opens the conversation.
    conversations.chosen ??= event.peer;
  } else if (event.event === 'gossip') {
    conversations.add(undefined, { mine: false, text: readable(event.payload), about: about(short(event.source)), status: 'done' });
  }
}

function showAddresses(addresses: string[]): void {
  element('no-addresses').hidden = addresses.length > 0;
  element('addresses').replaceChildren(
    ...addresses.map((address) => {
      const item = make('li');
      const copy = make('button', 'plain', 'Copy');
      copy.addEventListener('click', () => void navigator.clipboard?.writeText(address));
      item.append(make('code', '', address), copy);
      return item;
    }),
  );
}

main().catch((error: unknown) => say(element('notice'), `The client could not start: ${reason(error)}`));
