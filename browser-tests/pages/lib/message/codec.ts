// The bytes of a message on a stream: one request, one response; the same as in node/core/src/wire.rs.
//
// Request: version (1), session (8), sequence (8), payload length (4), payload. Response: version (1), session (8), sequence (8),
// verdict (1). Numbers are big-endian. A stream carries exactly one exchange.

export const PROTOCOL = '/darkswap/message/1';
export const REQUEST_HEADER = 21;
export const RESPONSE = 18;
const VERSION = 1;
const VERDICTS = ['delivered', 'duplicate', 'stale'] as const;

/** What the receiver did with a message: delivered it now, had it before, or cannot tell any more. */
export type Verdict = (typeof VERDICTS)[number];

/** A sender's id for a message: the random number of its run, and the number of the message to this peer in that run. */
export interface MessageId {
  session: bigint;
  sequence: bigint;
}

/** Bytes of a peer are not a message. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** The id as the node's commands and events write it. */
export function idText(id: MessageId): string {
  return `${id.session.toString(16).padStart(16, '0')}-${id.sequence}`;
}

export function encodeHeader(id: MessageId, length: number): Uint8Array {
  const bytes = new Uint8Array(REQUEST_HEADER);
  writeStart(bytes, id).setUint32(17, length);
  return bytes;
}

/** Reads a header and checks the announced length against `limit`, before anything is allocated for it. */
export function decodeHeader(bytes: Uint8Array, limit: number): { id: MessageId; length: number } {
  const [view, id] = readStart(bytes, REQUEST_HEADER);
  const length = view.getUint32(17);
  if (length > limit) throw new Malformed(`found a payload of ${length} bytes, expected at most ${limit}`);
  return { id, length };
}

export function encodeAcknowledgement(id: MessageId, verdict: Verdict): Uint8Array {
  const bytes = new Uint8Array(RESPONSE);
  writeStart(bytes, id).setUint8(17, VERDICTS.indexOf(verdict));
  return bytes;
}

export function decodeAcknowledgement(bytes: Uint8Array): { id: MessageId; verdict: Verdict } {
  const [view, id] = readStart(bytes, RESPONSE);
  const verdict = VERDICTS[view.getUint8(17)];
  if (verdict === undefined) throw new Malformed(`found verdict ${view.getUint8(17)}, expected 0 to 2`);
  return { id, verdict };
}

function writeStart(bytes: Uint8Array, id: MessageId): DataView {
  const view = new DataView(bytes.buffer);
  view.setUint8(0, VERSION);
  view.setBigUint64(1, id.session);
  view.setBigUint64(9, id.sequence);
  return view;
}

function readStart(bytes: Uint8Array, length: number): [DataView, MessageId] {
  if (bytes.byteLength !== length) throw new Malformed(`found ${bytes.byteLength} bytes, expected ${length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) !== VERSION) throw new Malformed(`found version ${view.getUint8(0)}, expected ${VERSION}`);
  return [view, { session: view.getBigUint64(1), sequence: view.getBigUint64(9) }];
}
