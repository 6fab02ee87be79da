// The list of peers: path, quality, and where their links are.

import type { Client, Peer } from '../lib/index.ts';
import { element, make, say, setText, short } from './element.ts';

interface Item {
  root: HTMLElement;
  name: HTMLElement;
  badge: HTMLElement;
  facts: HTMLElement;
  trouble: HTMLElement;
  retry: HTMLElement;
}

export class PeerList {
  readonly #items = new Map<string, Item>();
  readonly #root = element('peers');

  constructor(
    private readonly client: Client,
    private readonly choose: (peer: string) => void,
  ) {}

  /** Draws what is now; an element stays the same element, so that it keeps the focus. */
  draw(chosen: string | undefined): void {
    const peers = this.client.peers();
    const ids = new Set(peers.map(({ peer }) => peer));
    for (const [id, item] of this.#items) {
      if (ids.has(id)) continue;
      item.root.remove();
      this.#items.delete(id);
    }
    for (const peer of peers) this.#draw(peer, peer.peer === chosen);
    element('no-peers').hidden = peers.length > 0;
  }

  #draw(peer: Peer, chosen: boolean): void {
    const item = this.#items.get(peer.peer) ?? this.#make(peer.peer);
    item.root.classList.toggle('chosen', chosen);
    setText(item.badge, badge(peer));
    item.badge.dataset['path'] = peer.path ?? '';
    item.badge.dataset['state'] = peer.path === undefined ? (peer.link?.state.state ?? '') : 'connected';
    setText(item.facts, facts(peer));
    say(item.trouble, trouble(peer));
    item.retry.hidden = peer.link?.state.state !== 'waiting' || peer.path !== undefined;
  }

  #make(id: string): Item {
    const root = make('li', 'peer');
    const head = make('div', 'head');
    const name = make('button', 'name', short(id));
    name.title = id;
    name.addEventListener('click', () => this.choose(id));
    const badge = make('span', 'badge');
    head.append(name, badge);
    const facts = make('p', 'facts');
    const trouble = make('p', 'facts error');
    const actions = make('div', 'actions');
    const retry = make('button', 'plain', 'Try now');
    retry.addEventListener('click', () => this.client.retry());
    const end = make('button', 'plain danger', 'Disconnect');
    end.addEventListener('click', () => void this.client.disconnect(id));
    actions.append(retry, end);
    root.append(head, facts, trouble, actions);
    this.#root.append(root);
    const item = { root, name, badge, facts, trouble, retry };
    this.#items.set(id, item);
    return item;
  }
}

function badge(peer: Peer): string {
  if (peer.path !== undefined) return peer.path;
  const state = peer.link?.state;
  if (state?.state === 'waiting') return `next try in ${Math.max(0, Math.ceil((state.until - Date.now()) / 1_000))} s`;
  return state?.state ?? 'not connected';
}

function facts(peer: Peer): string {
  const { quality, agent, dialer } = peer;
  const known = [
    quality?.roundTrip === undefined ? undefined : `${quality.roundTrip.toFixed(quality.roundTrip < 10 ? 1 : 0)} ms`,
    quality === undefined || quality.pings === 0 ? undefined : `${Math.round(quality.loss * 100)} % loss`,
    dialer === undefined ? undefined : dialer ? 'outbound' : 'inbound',
    agent?.split(' ')[0]?.slice(0, 40),
  ];
  return known.filter((fact) => fact !== undefined && fact !== '').join(' · ');
}

function trouble(peer: Peer): string {
  const state = peer.link?.state;
  const reasons = state?.state === 'waiting' && peer.path === undefined ? state.reasons : [];
  const skipped = (peer.link?.skipped ?? []).map(({ address, reason }) => `Left out ${address.slice(0, 48)}…: ${reason}`);
  return [...reasons, ...skipped].join('\n');
}
