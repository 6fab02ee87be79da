// The `darkswap` program under test: its configuration, its life, and its commands.

import { existsSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { follow } from './control.ts';
import { root } from './folder.ts';
import { Program, run } from './process.ts';
import { Seen, type Pattern } from './seen.ts';

/** How long a node may take to be ready. */
const STARTING = 15_000;
/** How long a node may take to show an event. */
const EVENT = 20_000;

/** A value of a TOML configuration. */
type Value = string | number | boolean | (string | Record<string, string>)[];
/** A TOML configuration: tables of values. */
export type Config = Record<string, Record<string, Value>>;

/** A peer, as `darkswap peers --json` shows it. */
export interface PeerReport {
  peer: string;
  path: 'direct' | 'relayed' | null;
  address: string | null;
  connections: number;
  round_trip_seconds: number | null;
  pending: number;
  agent: string | null;
}

/** The path of the built program. */
export function binary(): string {
  const named = process.env['DARKSWAP_BIN'];
  if (named !== undefined) {
    if (existsSync(named)) return named;
    throw new Error(`DARKSWAP_BIN names ${named}, which does not exist`);
  }
  const caches = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const target = process.env['CARGO_TARGET_DIR'];
  // The last is where `make` builds, for one clone at a time.
  const targets = target === undefined ? [join(root, '../target'), join(caches, 'darkswap/target')] : [target];
  const built = targets.flatMap((folder) =>
    ['release', 'debug']
      .map((profile) => join(folder, profile, 'darkswap'))
      .filter((file) => existsSync(file))
      .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs),
  );
  if (built[0] === undefined) {
    throw new Error('there is no built darkswap: run `cargo build --package darkswap-node`, or name one with DARKSWAP_BIN');
  }
  return built[0];
}

/** A node in a folder of its own. */
export class DarkSwap {
  /** What happened in it since it was started first. */
  readonly events = new Seen<Record<string, unknown>>();
  peerId = '';
  /** Its addresses, each with its peer id. */
  addresses: string[] = [];
  #program: Program | undefined;
  #follower: Socket | undefined;

  private constructor(
    readonly name: string,
    private readonly folder: string,
    private readonly prefix: string[],
    private config: Config,
  ) {}

  /** Makes a node with this configuration and starts it. `prefix` is a command that runs it elsewhere, such as in a namespace. */
  static async start(name: string, folder: string, config: Config, prefix: string[] = []): Promise<DarkSwap> {
    const node = new DarkSwap(name, folder, prefix, config);
    await mkdir(folder, { recursive: true });
    await node.command('init');
    await node.start();
    return node;
  }

  get log(): string {
    return join(this.folder, 'log');
  }

  /** An address that contains `part`. */
  address(part: string): string {
    const found = this.addresses.find((address) => `${address}/`.includes(`${part}/`));
    if (found === undefined) throw new Error(`node ${this.name} has no ${part} address, only ${this.addresses.join(', ') || 'none'}`);
    return found;
  }

  /** Starts the node, after a stop or a crash on the same ports. */
  async start(): Promise<void> {
    await writeFile(join(this.folder, 'darkswap.toml'), toml(this.config));
    const [command, ...args] = this.#line(['run', '--ready-json', '--log-format', 'json']);
    let ready = (_line: string) => {};
    const line = new Promise<string>((resolve) => (ready = resolve));
    this.#program = Program.start(command, args, { log: this.log, env: environment(), line: ready });
    const first = await within(Promise.race([line, this.#program.failed()]), STARTING, `node ${this.name} is not ready, see its log`);
    const { peer_id, addresses } = JSON.parse(first) as { peer_id: string; addresses: string[] };
    this.peerId = peer_id;
    this.addresses = addresses;
    this.#follower = await follow(join(this.folder, 'control.sock'), (event) => this.events.add(event));
  }

  async stop(): Promise<void> {
    await this.#program?.stop();
    this.#follower?.destroy();
  }

  async crash(): Promise<void> {
    await this.#program?.kill();
    this.#follower?.destroy();
  }

  /** Starts it again on the ports that it had. */
  async restart(): Promise<void> {
    const listen = this.addresses.filter((address) => !address.includes('/p2p-circuit'));
    const bare = listen.map((address) => address.replace(/\/(certhash|p2p)\/[^/]+/g, ''));
    this.config = { ...this.config, node: { ...this.config['node'], listen: [...new Set(bare)] } };
    await this.start();
  }

  /** Waits for an event, past or future. */
  event(pattern: Pattern, time = EVENT): Promise<Record<string, unknown>> {
    return this.events.wait(pattern, time, `node ${this.name}`);
  }

  async peers(): Promise<PeerReport[]> {
    return JSON.parse(await this.command('peers', '--json')) as PeerReport[];
  }

  /** Sends a message and waits until it is acknowledged. */
  async send(peer: string, payload: string | Uint8Array): Promise<{ id: string; path: string; elapsed_seconds: number }> {
    const file = join(this.folder, 'message');
    await writeFile(file, payload);
    return JSON.parse(await this.command('send', peer, '--file', file, '--json'));
  }

  async publish(topic: string, text: string): Promise<void> {
    await this.command('publish', topic, text);
  }

  async connect(address: string): Promise<void> {
    await this.command('connect', address);
  }

  /** Runs `darkswap` for this node: its standard output. */
  command(...args: string[]): Promise<string> {
    const [command, ...rest] = this.#line(args);
    return run(command, rest, { env: environment() });
  }

  #line(args: string[]): [string, ...string[]] {
    return [...this.prefix, binary(), '--dir', this.folder, ...args] as [string, ...string[]];
  }
}

/** The environment without the caller's settings of darkswap. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('DARKSWAP_'));
  return { ...Object.fromEntries(kept), DARKSWAP_LOG: process.env['DARKSWAP_LOG'] ?? 'info,darkswap=debug' };
}

function toml(config: Config): string {
  const entries = (table: Record<string, Value>) => Object.entries(table).map(([key, value]) => `${key} = ${tomlValue(value)}`);
  return Object.entries(config).map(([name, table]) => `[${name}]\n${entries(table).join('\n')}\n`).join('\n');
}

/** Plain values are written alike in JSON and TOML. */
function tomlValue(value: Value | Record<string, string>): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  return `{ ${Object.entries(value).map(([key, text]) => `${key} = ${JSON.stringify(text)}`).join(', ')} }`;
}

/** The result, or an error when it takes too long. */
export async function within<T>(result: Promise<T>, time: number, otherwise: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} (waited ${time / 1_000} s)`)), time);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
