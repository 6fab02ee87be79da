// What happened, newest first, in words.

import type { ClientEvent } from '../lib/index.ts';
import { element, make, short, time } from './element.ts';

/** Lines kept. */
const KEPT = 200;

const TROUBLES: ClientEvent['event'][] = ['ping_lost', 'message_failed', 'message_retried', 'misbehaviour'];

export function note(event: ClientEvent): void {
  const text = words(event);
  if (text === undefined) return;
  const trouble = TROUBLES.includes(event.event) || (event.event === 'link_changed' && event.state.state === 'waiting');
  const list = element('log');
  list.prepend(make('li', trouble ? 'trouble' : '', `${time()} ${text}`));
  while (list.childElementCount > KEPT) list.lastElementChild?.remove();
}

function words(event: ClientEvent): string | undefined {
  switch (event.event) {
    case 'addresses_changed':
      return `this page is reachable at ${event.addresses.length} addresses`;
    case 'link_changed':
      return link(event);
    case 'connection_opened':
      return `${event.dialer ? 'connected to' : 'connected by'} ${short(event.peer)}: ${event.path}`;
    case 'connection_closed':
      return `connection to ${short(event.peer)} closed: ${event.path}`;
    case 'ping_lost':
      return `a ping to ${short(event.peer)} was not answered`;
    case 'message_retried':
      return `message ${event.id} is tried again: ${event.reason}`;
    case 'message_failed':
      return `message ${event.id} failed: ${event.reason}`;
    case 'message_duplicate':
      return `message ${event.id} arrived again and was dropped`;
    case 'misbehaviour':
      return `${short(event.peer)} misbehaves: ${event.reason}`;
    case 'identified':
    case 'ping':
    case 'message_received':
    case 'message_delivered':
    case 'gossip':
      // Shown where they belong.
      return undefined;
  }
}

function link(event: Extract<ClientEvent, { event: 'link_changed' }>): string {
  const { peer, state } = event;
  switch (state.state) {
    case 'connecting':
      return `connecting to ${short(peer)}, attempt ${state.attempt}`;
    case 'connected':
      return `${short(peer)} is connected: ${state.path}`;
    case 'waiting':
      return `${short(peer)}: next try in ${((state.until - Date.now()) / 1_000).toFixed(1)} s; ${state.reasons.join('; ')}`;
    case 'closed':
      return `${short(peer)} is wanted no more`;
  }
}
