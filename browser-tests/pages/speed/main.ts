// One of two pages that connect to each other by WebRTC, signalled over a BroadcastChannel: the yardstick of the benchmarks.

/** Bytes of a message, as in the benchmarks of the node. */
const MESSAGE = 16 * 1024;
/** How much may wait in the channel before the sender pauses, and when it goes on. */
const HIGH_WATER = 4 * 1024 * 1024;
const LOW_WATER = 1024 * 1024;

type Signal =
  | { kind: 'description'; connection: number; description: RTCSessionDescriptionInit }
  | { kind: 'candidate'; connection: number; candidate: RTCIceCandidateInit };

interface Open {
  connection: RTCPeerConnection;
  channel: RTCDataChannel;
}

const signals = new BroadcastChannel('signals');
const connections = new Map<number, RTCPeerConnection>();
let kept: Open | undefined;
let next = 0;

signals.onmessage = async ({ data }: MessageEvent<Signal>) => {
  if (data.kind === 'candidate') {
    await connections.get(data.connection)?.addIceCandidate(data.candidate);
  } else if (data.description.type === 'answer') {
    await connections.get(data.connection)?.setRemoteDescription(data.description);
  } else {
    await answer(data.connection, data.description);
  }
};

function create(id: number): RTCPeerConnection {
  const connection = new RTCPeerConnection();
  connections.set(id, connection);
  connection.onicecandidate = ({ candidate }) => {
    if (candidate !== null) say({ kind: 'candidate', connection: id, candidate: candidate.toJSON() });
  };
  return connection;
}

function say(signal: Signal): void {
  signals.postMessage(signal);
}

/** The other end: it says when as many bytes as the sender announced have arrived. */
async function answer(id: number, offer: RTCSessionDescriptionInit): Promise<void> {
  const connection = create(id);
  connection.ondatachannel = ({ channel }) => {
    channel.binaryType = 'arraybuffer';
    let missing = 0;
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      missing += typeof data === 'string' ? Number(data) : -data.byteLength;
      if (missing === 0) channel.send('arrived');
    };
    channel.onclose = () => {
      connection.close();
      connections.delete(id);
    };
  };
  await connection.setRemoteDescription(offer);
  await connection.setLocalDescription();
  say({ kind: 'description', connection: id, description: connection.localDescription!.toJSON() });
}

/** Connects; resolves when a first message has arrived at the other page and the other page's answer here. */
async function connect(): Promise<Open> {
  const id = next++;
  const connection = create(id);
  const channel = connection.createDataChannel('speed');
  channel.binaryType = 'arraybuffer';
  channel.bufferedAmountLowThreshold = LOW_WATER;
  await connection.setLocalDescription();
  say({ kind: 'description', connection: id, description: connection.localDescription!.toJSON() });
  await new Promise((resolve) => (channel.onopen = resolve));
  await send(channel, 1);
  return { connection, channel };
}

async function send(channel: RTCDataChannel, messages: number): Promise<void> {
  const arrived = new Promise((resolve) => (channel.onmessage = resolve));
  channel.send(String(messages * MESSAGE));
  const message = new Uint8Array(MESSAGE);
  for (let sent = 0; sent < messages; sent += 1) {
    if (channel.bufferedAmount > HIGH_WATER) await new Promise((resolve) => (channel.onbufferedamountlow = resolve));
    channel.send(message);
  }
  await arrived;
}

const measured = {
  /** Milliseconds from nothing to the answer to a first message; the connection is closed afterwards. */
  async setUp(): Promise<number> {
    const begin = performance.now();
    const { connection, channel } = await connect();
    const took = performance.now() - begin;
    channel.close();
    connection.close();
    return took;
  },

  /** Milliseconds until so many messages have arrived, over a connection that is kept. */
  async transfer(messages: number): Promise<number> {
    kept ??= await connect();
    const begin = performance.now();
    await send(kept.channel, messages);
    return performance.now() - begin;
  },
};

declare global {
  var speed: typeof measured;
}
globalThis.speed = measured;

export {};
