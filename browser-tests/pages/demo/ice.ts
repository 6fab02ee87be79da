// The ICE servers that somebody typed: `stun:host:port`, or `turn:host:port user password`, one per line.

export function iceServers(text: string): RTCIceServer[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([url]) => /^(stun|stuns|turn|turns):./.test(url ?? ''))
    .map(([urls = '', username, credential]) => ({
      urls,
      ...(username === undefined ? {} : { username }),
      ...(credential === undefined ? {} : { credential }),
    }));
}
