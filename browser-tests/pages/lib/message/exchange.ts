// One exchange of the message protocol on a stream: the sender's half and the receiver's.

import type { Connection, Stream } from '@libp2p/interface';
import {
  decodeAcknowledgement,
  decodeHeader,
  encodeAcknowledgement,
  encodeHeader,
  Malformed,
  PROTOCOL,
  REQUEST_HEADER,
  RESPONSE,
  type MessageId,
  type Verdict,
} from './codec.ts';

/** Bytes handed to a stream at once. It slices them for its transport; more would only wait in memory. */
const CHUNK = 64 * 1024;

/** Sends a message and waits for its acknowledgement. `payload` must not change meanwhile. */
export async function send(
  connection: Connection,
  id: MessageId,
  payload: Uint8Array,
  signal: AbortSignal,
): Promise<Verdict> {
  // A relayed connection counts as limited. Messages may use it: it is what remains where no direct path is possible.
  const stream = await connection.newStream(PROTOCOL, { signal, runOnLimitedConnection: true, maxOutboundStreams: 256 });
  return bounded(stream, signal, async () => {
    await write(stream, encodeHeader(id, payload.byteLength), signal);
    for (let at = 0; at < payload.byteLength; at += CHUNK) await write(stream, payload.subarray(at, at + CHUNK), signal);
    const closed = stream.close({ signal });
    const answer = decodeAcknowledgement(await new Reader(stream).read(RESPONSE));
    await closed;
    if (answer.id.session !== id.session || answer.id.sequence !== id.sequence) {
      throw new Malformed('found the acknowledgement of another message');
    }
    return answer.verdict;
  });
}

/** Receives a message of at most `limit` bytes and acknowledges it with what `admit` says. */
export async function receive(
  stream: Stream,
  limit: number,
  signal: AbortSignal,
  admit: (id: MessageId, payload: Uint8Array) => Verdict,
): Promise<void> {
  await bounded(stream, signal, async () => {
    const reader = new Reader(stream);
    const { id, length } = decodeHeader(await reader.read(REQUEST_HEADER), limit);
    const payload = await reader.read(length);
    await write(stream, encodeAcknowledgement(id, admit(id, payload)), signal);
    await stream.close({ signal });
  });
}

/** Ends the stream when the exchange fails or takes too long, so that neither side waits for the other. */
async function bounded<T>(stream: Stream, signal: AbortSignal, exchange: () => Promise<T>): Promise<T> {
  const abort = () => stream.abort(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await exchange();
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)));
    // The stream only says that it was aborted; the reason is here.
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

async function write(stream: Stream, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  if (!stream.send(bytes)) await stream.onDrain({ signal });
}

/** Reads exact numbers of bytes from a stream. */
class Reader {
  readonly #chunks: AsyncIterator<{ subarray(): Uint8Array }>;
  #rest = new Uint8Array(0);

  constructor(stream: Stream) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<{ subarray(): Uint8Array }>;
  }

  async read(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.byteLength === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw new Malformed(`found the end of the stream, expected ${length - filled} more bytes`);
        this.#rest = new Uint8Array(next.value.subarray());
      }
      const part = this.#rest.subarray(0, length - filled);
      bytes.set(part, filled);
      filled += part.byteLength;
      this.#rest = this.#rest.subarray(part.byteLength);
    }
    return bytes;
  }
}
