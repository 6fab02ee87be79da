// What a client tells about what happens in it. The names are those of the node's own events where both have one.

import type { Path } from './address.ts';
import type { LinkState } from './link.ts';
import type { Verdict } from './message/codec.ts';

export type ClientEvent =
  | { event: 'addresses_changed'; addresses: string[] }
  | { event: 'link_changed'; peer: string; state: LinkState }
  | { event: 'connection_opened'; peer: string; path: Path; address: string; dialer: boolean }
  | { event: 'connection_closed'; peer: string; path: Path }
  | { event: 'identified'; peer: string; agent: string }
  | { event: 'ping'; peer: string; path: Path; roundTrip: number }
  | { event: 'ping_lost'; peer: string; path: Path }
  | { event: 'message_received'; peer: string; id: string; path: Path; payload: Uint8Array }
  | { event: 'message_duplicate'; peer: string; id: string }
  | { event: 'message_delivered'; peer: string; id: string; path: Path; verdict: Verdict; elapsed: number }
  | { event: 'message_retried'; peer: string; id: string; reason: string }
  | { event: 'message_failed'; peer: string; id: string; reason: string }
  | { event: 'misbehaviour'; peer: string; reason: string }
  | { event: 'gossip'; topic: string; source: string; payload: Uint8Array };

export type Observer = (event: ClientEvent) => void;

/** Everybody who wants to hear of events. */
export class Observers {
  readonly #observers = new Set<Observer>();

  /** Has `observer` called with every event, in order, until the returned function is called. */
  add(observer: Observer): () => void {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  tell(event: ClientEvent): void {
    for (const observer of [...this.#observers]) {
      try {
        observer(event);
      } catch (error) {
        // A page's mistake must not end what the event came from; the console is where its developer looks.
        console.error(error);
      }
    }
  }
}
