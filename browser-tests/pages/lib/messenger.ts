// Messages to and from peers: delivered once, or the sender is told. The same promise as the node's (docs/decisions/0005).

import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { path, reason, type Path } from './address.ts';
import { Backoff } from './backoff.ts';
import type { ClientEvent } from './event.ts';
import { idText, PROTOCOL, type MessageId, type Verdict } from './message/codec.ts';
import { receive, send } from './message/exchange.ts';
import { Inbox, WINDOW } from './message/inbox.ts';
import { pause } from './quality.ts';

/** How long a message is retried before its sender is told that it failed. */
const DEADLINE = 30_000;
/** How long one attempt waits for its acknowledgement, plus what the payload takes at the slowest useful rate. */
const ATTEMPT = 10_000;
const SLOWEST_BYTES_PER_MS = 256;
/** First and longest pause after a failed attempt. */
const PAUSE = [100, 5_000] as const;
/** Messages to one peer at once. */
const PENDING = 64;
/** Messages of one connection that are received at once; the node sends 32. */
const INBOUND = 128;
/** Peers whose messages are remembered against duplicates; the one that wrote longest ago makes room. */
const INBOXES = 256;

export interface SendOptions {
  /** Milliseconds after which the message is given up. */
  deadline?: number;
}

/** What an acknowledgement tells. */
export interface Receipt {
  id: string;
  /** `duplicate` when an earlier attempt had arrived and only its acknowledgement was lost. */
  verdict: Verdict;
  path: Path;
  /** Milliseconds from the call to the acknowledgement. */
  elapsed: number;
}

interface Outbox {
  next: bigint;
  /** Sequence numbers that wait for an acknowledgement, the oldest first. */
  pending: Set<bigint>;
}

export interface MessengerContext {
  best(peer: string): Connection | undefined;
  /** Whether a connection to the peer will be made again. */
  isWanted(peer: string): boolean;
  tell(event: ClientEvent): void;
}

export class Messenger {
  readonly #session = crypto.getRandomValues(new BigUint64Array(1))[0] ?? 0n;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #inboxes = new Map<string, Inbox>();

  constructor(
    private readonly libp2p: Libp2p,
    private readonly limit: number,
    private readonly context: MessengerContext,
  ) {}

  async start(): Promise<void> {
    await this.libp2p.handle(PROTOCOL, (stream, connection) => this.#receive(stream, connection), {
      maxInboundStreams: INBOUND,
      runOnLimitedConnection: true,
    });
  }

  /** Sends until an acknowledgement or the deadline. Every attempt carries the same id, so the receiver delivers one of them. */
  async send(peer: string, payload: Uint8Array, { deadline = DEADLINE }: SendOptions): Promise<Receipt> {
    const outbox = this.#outbox(peer);
    const [oldest] = outbox.pending;
    // Further ahead than the receiver's window, and the oldest could not be told from one that arrived.
    if (outbox.pending.size >= PENDING || (oldest !== undefined && outbox.next - oldest >= BigInt(WINDOW))) {
      throw new Error(`found ${outbox.pending.size} messages on their way to ${peer}: wait for the oldest`);
    }
    const id: MessageId = { session: this.#session, sequence: outbox.next };
    outbox.next += 1n;
    outbox.pending.add(id.sequence);
    try {
      const receipt = await this.#attempts(peer, id, payload, deadline);
      this.context.tell({ event: 'message_delivered', peer, ...receipt });
      return receipt;
    } catch (error) {
      this.context.tell({ event: 'message_failed', peer, id: idText(id), reason: reason(error) });
      throw error;
    } finally {
      outbox.pending.delete(id.sequence);
    }
  }

  async #attempts(peer: string, id: MessageId, payload: Uint8Array, deadline: number): Promise<Receipt> {
    const started = performance.now();
    const end = AbortSignal.timeout(deadline);
    const backoff = new Backoff(...PAUSE);
    let last = 'no connection';
    while (!end.aborted) {
      const connection = this.context.best(peer);
      if (connection === undefined) {
        if (!this.context.isWanted(peer)) throw new Error(`not connected to ${peer}`);
      } else {
        try {
          const time = AbortSignal.timeout(ATTEMPT + payload.byteLength / SLOWEST_BYTES_PER_MS);
          const verdict = await send(connection, id, payload, AbortSignal.any([end, time]));
          return { id: idText(id), verdict, path: path(connection.remoteAddr), elapsed: performance.now() - started };
        } catch (error) {
          last = reason(error);
          if (error instanceof Error && error.name === 'UnsupportedProtocolError') throw error;
          this.context.tell({ event: 'message_retried', peer, id: idText(id), reason: last });
        }
      }
      await pause(backoff.next(), end);
    }
    throw new Error(`not acknowledged within ${deadline / 1_000} s, it may or may not have arrived; last attempt: ${last}`);
  }

  async #receive(stream: Stream, connection: Connection): Promise<void> {
    const peer = connection.remotePeer.toString();
    const signal = AbortSignal.timeout(ATTEMPT + this.limit / SLOWEST_BYTES_PER_MS);
    try {
      await receive(stream, this.limit, signal, (id, payload) => {
        const verdict = this.#inbox(peer).admit(id);
        if (verdict === 'delivered') {
          this.context.tell({ event: 'message_received', peer, id: idText(id), path: path(connection.remoteAddr), payload });
        } else {
          this.context.tell({ event: 'message_duplicate', peer, id: idText(id) });
        }
        return verdict;
      });
    } catch (error) {
      // A peer that broke the format and a connection that broke look alike to the sender, but not to us.
      if (error instanceof Error && error.name === 'Malformed') {
        this.context.tell({ event: 'misbehaviour', peer, reason: reason(error) });
      }
    }
  }

  #outbox(peer: string): Outbox {
    let outbox = this.#outboxes.get(peer);
    if (outbox === undefined) {
      outbox = { next: 0n, pending: new Set() };
      this.#outboxes.set(peer, outbox);
    }
    return outbox;
  }

  #inbox(peer: string): Inbox {
    const inbox = this.#inboxes.get(peer) ?? new Inbox();
    // The most recent is the last.
    this.#inboxes.delete(peer);
    this.#inboxes.set(peer, inbox);
    const [oldest] = this.#inboxes.keys();
    if (this.#inboxes.size > INBOXES && oldest !== undefined) this.#inboxes.delete(oldest);
    return inbox;
  }
}
