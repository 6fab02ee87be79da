// A wish to be connected to one peer: dials its addresses, notices a loss, and tries again with back-off.

import type { Connection } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { obstacle, path, reason, type Path } from './address.ts';
import { Backoff } from './backoff.ts';
import { pause } from './quality.ts';

/** How long one address may take before the next one is tried. ICE needs some seconds when candidates come late. */
const DIAL = 12_000;
/**
 * Tries of a negotiated WebRTC path in one round. @libp2p/webrtc 6.0.33 waits in vain when the other side closed the first channel
 * before this page noticed that it had opened, which happens to slow ones; the next try finds everything warm.
 */
const NEGOTIATIONS = 3;
/** First and longest pause between two rounds of attempts. */
const PAUSE = [1_000, 30_000] as const;
/** A connection that lasted so long starts the back-off anew: the next loss is another trouble. */
const STABLE = 20_000;
/** First and longest pause before a relayed path is tried to be replaced by a direct one. */
const UPGRADE = [15_000, 300_000] as const;

/** Where a link is. Times are milliseconds of `Date.now()`. */
export type LinkState =
  | { state: 'connecting'; attempt: number }
  | { state: 'connected'; path: Path; address: string }
  | { state: 'waiting'; until: number; attempt: number; reasons: string[] }
  | { state: 'closed' };

/** An address that was left out, and why. */
export interface Skipped {
  address: string;
  reason: string;
}

/** What a link needs of its client. */
export interface LinkContext {
  dial(address: Multiaddr, signal: AbortSignal): Promise<Connection>;
  /** The best open connection to a peer. */
  best(peer: string): Connection | undefined;
  /** Resolves when the peer's connections have changed. */
  changed(peer: string, stop: AbortSignal): Promise<void>;
  tell(peer: string, state: LinkState): void;
}

/**
 * | state | leaves it by |
 * |---|---|
 * | connecting | a connection (connected), every address failed (waiting) |
 * | connected | the last connection is lost (waiting) |
 * | waiting | its time is over, `retry`, the peer connects by itself (connecting) |
 * | closed | never |
 */
export class Link {
  /** Addresses that this browser cannot use. */
  readonly skipped: Skipped[] = [];
  #state: LinkState = { state: 'connecting', attempt: 1 };
  readonly #usable: Multiaddr[] = [];
  readonly #stop = new AbortController();
  readonly #backoff = new Backoff(...PAUSE);
  #wake = new AbortController();

  /** `addresses` are tried in the given order. */
  constructor(
    readonly peer: string,
    addresses: Multiaddr[],
    private readonly context: LinkContext,
  ) {
    for (const address of addresses) {
      const found = obstacle(address);
      if (found === undefined) this.#usable.push(address);
      else this.skipped.push({ address: address.toString(), reason: found });
    }
  }

  get state(): LinkState {
    return this.#state;
  }

  /** The addresses that are tried, in order. */
  get usable(): string[] {
    return this.#usable.map(String);
  }

  /** Tries again now instead of at the end of a pause. */
  retry(): void {
    this.#wake.abort();
  }

  /** Ends the wish; connections are left to the client. */
  close(): void {
    this.#stop.abort();
    this.#enter({ state: 'closed' });
  }

  /** Runs until it is closed. */
  async run(): Promise<void> {
    for (let attempt = 1; !this.#stop.signal.aborted; attempt += 1) {
      this.#enter({ state: 'connecting', attempt });
      const reasons = await this.#connect();
      if (this.context.best(this.peer) !== undefined) {
        const since = Date.now();
        await this.#keep();
        reasons.splice(0, reasons.length, 'the connection was lost');
        attempt = 0;
        if (Date.now() - since >= STABLE) this.#backoff.reset();
      }
      await this.#wait(attempt, reasons);
    }
  }

  /** Dials one address after the other; why they failed. */
  async #connect(): Promise<string[]> {
    const reasons: string[] = [];
    for (const address of this.#usable) {
      if (this.context.best(this.peer) !== undefined || this.#stop.signal.aborted) break;
      const failure = await this.#dial(address);
      if (failure !== undefined) reasons.push(`${path(address)}: ${failure}`);
    }
    return reasons;
  }

  /** Dials an address; why that failed, if it did. */
  async #dial(address: Multiaddr): Promise<string | undefined> {
    let failure: string | undefined;
    for (let tries = path(address) === 'webrtc' ? NEGOTIATIONS : 1; tries > 0 && !this.#stop.signal.aborted; tries -= 1) {
      try {
        await this.context.dial(address, AbortSignal.any([this.#stop.signal, AbortSignal.timeout(DIAL)]));
        return undefined;
      } catch (error) {
        failure = reason(error);
      }
    }
    return failure;
  }

  /** Stays until no connection is left, and meanwhile tries to replace a relayed path. */
  async #keep(): Promise<void> {
    const upgrade = new Backoff(...UPGRADE);
    const direct = this.#usable.filter((address) => path(address) !== 'relayed');
    while (!this.#stop.signal.aborted) {
      const connection = this.context.best(this.peer);
      if (connection === undefined) return;
      const kind = path(connection.remoteAddr);
      this.#enter({ state: 'connected', path: kind, address: connection.remoteAddr.toString() });
      const tries = kind === 'relayed' && direct.length > 0;
      const time = tries ? AbortSignal.timeout(upgrade.next()) : new AbortController().signal;
      await this.context.changed(this.peer, AbortSignal.any([this.#stop.signal, time]));
      if (time.aborted) await this.#upgrade(direct);
    }
  }

  async #upgrade(direct: Multiaddr[]): Promise<void> {
    for (const address of direct) {
      // A failure changes nothing: the relayed path is there, and the next try comes later.
      if ((await this.#dial(address)) === undefined) return;
    }
  }

  async #wait(attempt: number, reasons: string[]): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const delay = this.#backoff.next();
    this.#enter({ state: 'waiting', until: Date.now() + delay, attempt, reasons });
    this.#wake = new AbortController();
    const end = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, this.#wake.signal, end.signal]);
    await Promise.race([pause(delay, signal), this.context.changed(this.peer, signal)]);
    end.abort();
  }

  #enter(state: LinkState): void {
    if (this.#state.state === 'closed') return;
    const same = JSON.stringify(state) === JSON.stringify(this.#state);
    this.#state = state;
    if (!same || state.state === 'connecting') this.context.tell(this.peer, state);
  }
}
