// Which messages of one peer were delivered already: the same window as in node/core/src/message/inbox.rs.

import type { MessageId, Verdict } from './codec.ts';

/** Sequence numbers that are remembered of a session. A sender runs ahead of its oldest unacknowledged message by less. */
export const WINDOW = 1024;
/** The last number has no successor, so that the window could not move past it. No honest sender gets there. */
const LAST = 0xffff_ffff_ffff_ffffn;
/** Sessions that are remembered: the running one and those of recent restarts. The oldest makes room. */
const SESSIONS = 4;

interface Session {
  /** One past the highest sequence number seen. */
  next: bigint;
  /** The last number delivered in each place of the window. */
  delivered: (bigint | undefined)[];
}

export class Inbox {
  readonly #sessions = new Map<bigint, Session>();

  /** Decides whether a message is new; a new one counts as delivered from now on. */
  admit(id: MessageId): Verdict {
    const session = this.#session(id.session);
    if (id.sequence === LAST) return 'stale';
    if (id.sequence >= session.next) {
      session.next = id.sequence + 1n;
    } else if (session.next - id.sequence > BigInt(WINDOW)) {
      return 'stale';
    }
    const place = Number(id.sequence % BigInt(WINDOW));
    if (session.delivered[place] === id.sequence) return 'duplicate';
    session.delivered[place] = id.sequence;
    return 'delivered';
  }

  #session(number: bigint): Session {
    let session = this.#sessions.get(number);
    if (session === undefined) {
      const [oldest] = this.#sessions.keys();
      if (this.#sessions.size === SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
      session = { next: 0n, delivered: new Array<bigint | undefined>(WINDOW) };
      this.#sessions.set(number, session);
    }
    return session;
  }
}
