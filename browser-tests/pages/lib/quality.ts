// The quality of a path, measured by pings.

import type { Connection } from '@libp2p/interface';

const PROTOCOL = '/ipfs/ping/1.0.0';
const PAYLOAD = 32;
/** Pause between two pings. */
const INTERVAL = 5_000;
/** How long an answer may take before the ping counts as lost. */
const TIMEOUT = 5_000;
/** Pings lost in a row after which the connection counts as dead. One alone may be a phone that changes its network. */
const LOSSES = 3;
/** Pings that the figures cover: the last two minutes. */
const WINDOW = 24;

/** Round-trip time (median, milliseconds) and share of lost pings (0 to 1) over the last pings. */
export interface Quality {
  roundTrip?: number;
  loss: number;
  pings: number;
}

/** The last pings of one connection. */
export class Measurements {
  readonly #pings: (number | undefined)[] = [];

  /** Takes note of a round trip, or of a lost ping. */
  add(roundTrip: number | undefined): void {
    this.#pings.push(roundTrip);
    if (this.#pings.length > WINDOW) this.#pings.shift();
  }

  quality(): Quality {
    const answered = this.#pings.filter((ping) => ping !== undefined).sort((a, b) => a - b);
    const pings = this.#pings.length;
    const loss = pings === 0 ? 0 : (pings - answered.length) / pings;
    const roundTrip = answered[Math.floor(answered.length / 2)];
    return roundTrip === undefined ? { loss, pings } : { roundTrip, loss, pings };
  }

  /** Whether so many pings in a row were lost that nobody can be there any more. */
  isDead(): boolean {
    return this.#pings.length >= LOSSES && this.#pings.slice(-LOSSES).every((ping) => ping === undefined);
  }
}

/**
 * Pings a connection until it is closed. One ping at a time: rust-libp2p answers only the newest ping stream of a connection, so two
 * at once make each other fail. That is why js-libp2p's own connection monitor is off beside it.
 */
export async function measure(
  connection: Connection,
  measurements: Measurements,
  observe: (roundTrip: number | undefined) => void,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted && connection.status === 'open') {
    const roundTrip = await ping(connection, AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT)])).catch(() => undefined);
    if (stop.aborted) return;
    measurements.add(roundTrip);
    observe(roundTrip);
    if (measurements.isDead()) {
      connection.abort(new Error(`${LOSSES} pings in a row were not answered`));
      return;
    }
    await pause(INTERVAL, stop);
  }
}

async function ping(connection: Connection, signal: AbortSignal): Promise<number> {
  const stream = await connection.newStream(PROTOCOL, { signal, runOnLimitedConnection: true });
  const abort = () => stream.abort(new Error('the ping took too long'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    const sent = crypto.getRandomValues(new Uint8Array(PAYLOAD));
    const start = performance.now();
    stream.send(sent);
    let received = 0;
    for await (const chunk of stream) {
      const bytes = chunk.subarray();
      if (bytes.some((byte, at) => byte !== sent[received + at])) throw new Error('found other bytes than were sent');
      received += bytes.byteLength;
      if (received >= PAYLOAD) break;
    }
    if (received < PAYLOAD) throw new Error('the stream ended early');
    const roundTrip = performance.now() - start;
    await stream.close({ signal });
    return roundTrip;
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Waits, or until `stop`. */
export function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    stop.addEventListener('abort', end, { once: true });
  });
}
