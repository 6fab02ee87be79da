// A DarkSwap client for web pages: links to peers, messages, gossip, and what can be seen of all that.

import type { Connection, IdentifyResult, Libp2p, PeerId } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { AddressError, hasWebRtc, path, peerAddress, reason, type Path } from './address.ts';
import { Observers, type ClientEvent, type Observer } from './event.ts';
import { startLibp2p, type ClientOptions, type Services } from './libp2p.ts';
import { Link, type LinkState, type Skipped } from './link.ts';
import { Messenger, type Receipt, type SendOptions } from './messenger.ts';
import { measure, Measurements, type Quality } from './quality.ts';

/** Largest message by default, as in the node. */
const MESSAGE_SIZE = 1 << 20;
/** Links at once. A page that wants more is mistaken. */
const LINKS = 64;

/** A connected or wanted peer. */
export interface Peer {
  peer: string;
  /** The best path; none while there is no connection. */
  path?: Path;
  address?: string;
  dialer?: boolean;
  connections: number;
  quality?: Quality;
  /** What the peer calls its program. Hostile text is possible. */
  agent?: string;
  protocols: string[];
  /** The wish to be connected, where there is one. */
  link?: { state: LinkState; skipped: Skipped[] };
}

export class Client {
  /** Whether this browser has WebRTC. Without it WebSocket is what remains. */
  readonly webRtc = hasWebRtc();
  readonly #observers = new Observers();
  readonly #links = new Map<string, Link>();
  readonly #measurements = new Map<string, Measurements>();
  readonly #identified = new Map<string, { agent: string; protocols: string[] }>();
  readonly #messenger: Messenger;
  readonly #stop = new AbortController();

  private constructor(
    /** The libp2p node, for whatever this class does not do. */
    readonly libp2p: Libp2p<Services>,
    private readonly options: ClientOptions,
  ) {
    this.#messenger = new Messenger(libp2p, options.messageSize ?? MESSAGE_SIZE, {
      best: (peer) => this.#best(peer),
      isWanted: (peer) => this.#links.has(peer),
      tell: (event) => this.#observers.tell(event),
    });
  }

  /** Starts a client with a new identity. */
  static async start(options: ClientOptions = {}): Promise<Client> {
    const client = new Client(await startLibp2p(options), options);
    await client.#messenger.start();
    client.#listen();
    for (const topic of options.topics ?? []) client.subscribe(topic);
    return client;
  }

  get peerId(): string {
    return this.libp2p.peerId.toString();
  }

  /** The addresses under which others reach this page: none before a relay granted a reservation. */
  addresses(): string[] {
    return this.libp2p.getMultiaddrs().map(String);
  }

  /** Has `observer` called with every event until the returned function is called. */
  observe(observer: Observer): () => void {
    return this.#observers.add(observer);
  }

  /**
   * Connects to a peer and stays connected: its addresses are tried in the given order, and again with back-off after a loss.
   *
   * Throws {@link AddressError} when they are not addresses of one peer, or when this browser can use none of them.
   */
  connect(...texts: string[]): Link {
    const addresses = texts.map(peerAddress);
    const peer = addresses[0]?.peer;
    if (peer === undefined) throw new AddressError('found no address, expected at least one');
    const other = addresses.find((address) => address.peer !== peer);
    if (other !== undefined) throw new AddressError(`found addresses of ${peer} and ${other.peer}, expected those of one peer`);
    if (peer === this.peerId) throw new AddressError('found an address of this page itself');
    const link = new Link(peer, addresses.map(({ address }) => address), this.#linkContext());
    if (link.usable.length === 0) {
      throw new AddressError(link.skipped.map((skipped) => `${skipped.address}: ${skipped.reason}`).join('; '));
    }
    if (!this.#links.has(peer) && this.#links.size >= LINKS) throw new Error(`found ${LINKS} links, no more are allowed`);
    this.#links.get(peer)?.close();
    this.#links.set(peer, link);
    void link.run();
    return link;
  }

  /** Ends the link to a peer and closes its connections. */
  async disconnect(peer: string): Promise<void> {
    this.#links.get(peer)?.close();
    this.#links.delete(peer);
    await this.libp2p.hangUp(peerIdFromString(peer));
  }

  /** Tries every link that waits again, now. */
  retry(): void {
    for (const link of this.#links.values()) link.retry();
  }

  /** Sends a message; resolves when the peer acknowledged it. */
  send(peer: string, payload: Uint8Array, options: SendOptions = {}): Promise<Receipt> {
    return this.#messenger.send(peer, payload, options);
  }

  /** Publishes on a gossip topic; fails while no connected peer has the topic. */
  async publish(topic: string, payload: Uint8Array): Promise<void> {
    await this.libp2p.services.pubsub.publish(topic, payload);
  }

  subscribe(topic: string): void {
    this.libp2p.services.pubsub.subscribe(topic);
  }

  /** Connected peers that have a gossip topic. */
  subscribers(topic: string): string[] {
    return this.libp2p.services.pubsub.getSubscribers(topic).map(String);
  }

  /** Every connected or wanted peer, by peer id. */
  peers(): Peer[] {
    const ids = new Set([...this.libp2p.getPeers().map(String), ...this.#links.keys()]);
    return [...ids].sort().map((id) => this.#peer(id));
  }

  /** Closes everything in good order. */
  async stop(): Promise<void> {
    this.#stop.abort();
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    await this.libp2p.stop();
  }

  #peer(id: string): Peer {
    const connection = this.#best(id);
    const link = this.#links.get(id);
    const identified = this.#identified.get(id);
    const peer: Peer = {
      peer: id,
      connections: this.libp2p.getConnections(peerIdFromString(id)).length,
      protocols: identified?.protocols ?? [],
    };
    if (identified !== undefined) peer.agent = identified.agent;
    if (link !== undefined) peer.link = { state: link.state, skipped: link.skipped };
    if (connection !== undefined) {
      peer.path = path(connection.remoteAddr);
      peer.address = connection.remoteAddr.toString();
      peer.dialer = connection.direction === 'outbound';
      const quality = this.#quality(connection);
      if (quality !== undefined) peer.quality = quality;
    }
    return peer;
  }

  #quality(connection: Connection): Quality | undefined {
    const measured = this.#measurements.get(connection.id)?.quality();
    if (measured !== undefined) return measured;
    return connection.rtt === undefined ? undefined : { roundTrip: connection.rtt, loss: 0, pings: 1 };
  }

  /** A direct connection before a relayed one, the oldest among equals: both ends tend to use the same. */
  #best(peer: string): Connection | undefined {
    const open = this.libp2p.getConnections(peerIdFromString(peer)).filter((connection) => connection.status === 'open');
    const rank = (connection: Connection) => (connection.limits === undefined ? 0 : 1);
    return open.sort((a, b) => rank(a) - rank(b) || a.timeline.open - b.timeline.open)[0];
  }

  #linkContext() {
    return {
      dial: (address: Parameters<Libp2p['dial']>[0], signal: AbortSignal) => this.libp2p.dial(address, { signal }),
      best: (peer: string) => this.#best(peer),
      changed: (peer: string, stop: AbortSignal) => this.#changed(peer, stop),
      tell: (peer: string, state: LinkState) => this.#observers.tell({ event: 'link_changed', peer, state }),
    };
  }

  /** Resolves when a connection of the peer opens or closes, or at `stop`. */
  #changed(peer: string, stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (stop.aborted) return resolve();
      const end = () => {
        forget();
        stop.removeEventListener('abort', end);
        resolve();
      };
      const forget = this.observe((event) => {
        if ((event.event === 'connection_opened' || event.event === 'connection_closed') && event.peer === peer) end();
      });
      stop.addEventListener('abort', end, { once: true });
    });
  }

  #listen(): void {
    const signal = this.#stop.signal;
    const on = <T>(name: string, handle: (detail: T) => void) =>
      this.libp2p.addEventListener(name as 'peer:update', ((event: CustomEvent<T>) => handle(event.detail)) as never, { signal });
    on<Connection>('connection:open', (connection) => this.#opened(connection));
    on<Connection>('connection:close', (connection) => this.#closed(connection));
    on<PeerId>('peer:disconnect', (peer) => this.#identified.delete(peer.toString()));
    on<IdentifyResult>('peer:identify', (result) => {
      const agent = result.agentVersion ?? '';
      this.#identified.set(result.peerId.toString(), { agent, protocols: result.protocols });
      this.#tell({ event: 'identified', peer: result.peerId.toString(), agent });
    });
    on('self:peer:update', () => this.#tell({ event: 'addresses_changed', addresses: this.addresses() }));
    this.libp2p.services.pubsub.addEventListener('message', ({ detail }) => {
      if (detail.type !== 'signed') return;
      this.#tell({ event: 'gossip', topic: detail.topic, source: detail.from.toString(), payload: detail.data });
    }, { signal });
    // A phone that comes back has no use for the rest of a pause.
    globalThis.addEventListener?.('online', () => this.retry(), { signal });
  }

  #opened(connection: Connection): void {
    const peer = connection.remotePeer.toString();
    const address = connection.remoteAddr.toString();
    const kind = path(connection.remoteAddr);
    this.#tell({ event: 'connection_opened', peer, path: kind, address, dialer: connection.direction === 'outbound' });
    if (this.options.pings === 'libp2p') return;
    const measurements = new Measurements();
    this.#measurements.set(connection.id, measurements);
    const observe = (roundTrip: number | undefined) =>
      this.#tell(roundTrip === undefined ? { event: 'ping_lost', peer, path: kind } : { event: 'ping', peer, path: kind, roundTrip });
    void measure(connection, measurements, observe, this.#stop.signal).catch((error: unknown) => {
      console.error(`pings to ${peer} ended: ${reason(error)}`);
    });
  }

  #closed(connection: Connection): void {
    this.#measurements.delete(connection.id);
    this.#tell({ event: 'connection_closed', peer: connection.remotePeer.toString(), path: path(connection.remoteAddr) });
  }

  #tell(event: ClientEvent): void {
    this.#observers.tell(event);
  }
}
