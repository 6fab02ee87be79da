// Messages with one peer, or with everybody on a topic.

import { element, make, say, setText, short, time } from './element.ts';

/** Messages kept of one conversation, and conversations kept. */
const KEPT = 300;
const CONVERSATIONS = 64;
/** Bytes of a message that are shown as text. */
const SHOWN = 4_096;

/** One message: who wrote it, and what is known about it. */
export interface Entry {
  mine: boolean;
  text: string;
  about: string;
  status: 'sending' | 'done' | 'failed';
}

export class Conversations {
  /** The chosen peer; none means everybody on the topic. */
  chosen: string | undefined;
  readonly #entries = new Map<string | undefined, Entry[]>();
  #drawn: Entry[] | undefined;

  constructor(private readonly topic: string) {}

  choose(peer: string | undefined): void {
    this.chosen = peer;
    this.draw();
  }

  /** Adds a message; the entry may be changed later, before the next `draw`. */
  add(peer: string | undefined, entry: Entry): Entry {
    const entries = this.#entries.get(peer) ?? [];
    const [oldest] = this.#entries.keys();
    if (!this.#entries.has(peer) && this.#entries.size >= CONVERSATIONS) this.#entries.delete(oldest);
    this.#entries.set(peer, entries);
    entries.push(entry);
    if (entries.length > KEPT) entries.shift();
    return entry;
  }

  draw(): void {
    setText(element('with'), this.chosen === undefined ? `Everybody on “${this.topic}”` : `With ${short(this.chosen)}`);
    element('everybody').hidden = this.chosen === undefined;
    const entries = this.#entries.get(this.chosen) ?? [];
    const list = element('messages');
    const isNew = this.#drawn !== entries || list.childElementCount !== entries.length;
    while (list.childElementCount > entries.length) list.lastElementChild?.remove();
    entries.forEach((entry, at) => drawEntry((list.children[at] as HTMLElement | undefined) ?? list.appendChild(blank()), entry));
    if (isNew) list.scrollTop = list.scrollHeight;
    this.#drawn = entries;
    say(element('quiet'), entries.length === 0 ? 'No messages yet.' : '');
  }
}

/** What a payload says, if it is a short text. */
export function readable(payload: Uint8Array): string {
  if (payload.byteLength <= SHOWN) {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(payload);
    } catch {
      // Not a text: its size is what can be shown.
    }
  }
  return `${payload.byteLength.toLocaleString()} bytes`;
}

/** The time and what is known besides. */
export function about(...facts: string[]): string {
  return [time(), ...facts].join(' · ');
}

function blank(): HTMLElement {
  const item = make('li');
  item.append(make('div', 'text'), make('div', 'about'));
  return item;
}

function drawEntry(item: HTMLElement, entry: Entry): void {
  const [text, about] = item.children as unknown as [HTMLElement, HTMLElement];
  const className = entry.mine ? 'message mine' : 'message';
  if (item.className !== className) item.className = className;
  setText(text, entry.text);
  setText(about, entry.about);
  about.dataset['status'] = entry.status;
}
