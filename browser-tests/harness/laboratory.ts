// Networks of Linux namespaces: a public one, and sites behind routers whose kernels do NAT.
//
// public (10.99.0.0/24): the bridge, the relay, the page server and a STUN and TURN server, all at 10.99.0.1
// site N: router 10.99.0.(10+N), which is 192.168.(10+N).1 inside, and one host 192.168.(10+N).2

import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromiumPath } from './browser.ts';
import { within } from './darkswap.ts';
import { Program, run } from './process.ts';

/** The address of everything that is public. */
export const PUBLIC = '10.99.0.1';
const STUN_PORT = 3478;
const PAGE_PORT = 8080;
const TURN_USER = { username: 'darkswap', credential: 'laboratory' };
/** How long a server may take to start. */
const STARTING = 10_000;

/**
 * What a router does. `masquerade` keeps ports and maps independently of the destination (endpoint-independent mapping); `random` takes
 * a new port for each destination (address- and port-dependent mapping). Both filter by address and port.
 */
export type Nat = 'masquerade' | 'random';

/** STUN and TURN of the laboratory, as browsers and as nodes are told about them. */
export const STUN = { browser: [{ urls: `stun:${PUBLIC}:${STUN_PORT}` }], node: [`stun:${PUBLIC}:${STUN_PORT}`] };
export const TURN = {
  browser: [...STUN.browser, { urls: `turn:${PUBLIC}:${STUN_PORT}?transport=udp`, ...TURN_USER }],
  node: [...STUN.node, { url: `turn:${PUBLIC}:${STUN_PORT}`, ...TURN_USER }],
};

/** What this computer lacks for a laboratory, if anything. */
export function lacking(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const missing = ['ip', 'nft', 'sysctl', 'turnserver'].filter((program) => !isInstalled(program));
  if (missing.length > 0) return `not installed: ${missing.join(', ')} (Debian: apt-get install iproute2 nftables procps coturn)`;
  const probe = `darkswap-${process.pid}-probe`;
  try {
    execFileSync('ip', ['netns', 'add', probe], { stdio: 'pipe' });
    execFileSync('ip', ['netns', 'exec', probe, 'nft', 'add', 'table', 'ip', 'probe'], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `the kernel does not let this user make network namespaces with nftables: ${(error as Error).message.trim()}`;
  } finally {
    remove(probe);
  }
}

export class Laboratory {
  static #number = 0;
  readonly #name = `darkswap-${process.pid}-${(Laboratory.#number += 1)}`;
  readonly #namespaces: string[] = [];
  readonly #programs: Program[] = [];

  private constructor(private readonly folder: string) {
    // Namespaces outlive processes.
    process.on('exit', () => this.#namespaces.forEach(remove));
  }

  /** Makes the networks and starts the public servers. `folder` takes logs. */
  static async build(folder: string, nat: Nat, sites: number): Promise<Laboratory> {
    const laboratory = new Laboratory(folder);
    try {
      laboratory.#makePublic();
      for (let site = 1; site <= sites; site += 1) laboratory.#makeSite(site, nat);
      await laboratory.#startServers();
      return laboratory;
    } catch (error) {
      await laboratory.end();
      throw error;
    }
  }

  /** Where the pages are. */
  readonly url = `http://${PUBLIC}:${PAGE_PORT}`;

  /** Flags with which Chromium gives pages of the laboratory what pages over https have. */
  readonly flags = [`--unsafely-treat-insecure-origin-as-secure=${this.url}`];

  /** The command that runs something in the public network. */
  get public(): string[] {
    return ['ip', 'netns', 'exec', this.#namespace('public')];
  }

  /** The command that runs something on a site's host. */
  host(site: number): string[] {
    return ['ip', 'netns', 'exec', this.#namespace(`host${site}`)];
  }

  /** A program that is Chromium on a site's host. */
  chromium(site: number): string {
    const file = join(this.folder, `chromium-${site}.sh`);
    writeFileSync(file, `#!/bin/sh\nexec ${this.host(site).join(' ')} '${chromiumPath()}' "$@"\n`, { mode: 0o755 });
    return file;
  }

  /** Ends the servers and removes the networks. */
  async end(): Promise<void> {
    for (const program of this.#programs) await program.stop();
    this.#namespaces.splice(0).forEach(remove);
  }

  #namespace(name: string): string {
    return `${this.#name}-${name}`;
  }

  #add(name: string): string {
    const namespace = this.#namespace(name);
    ip(`netns add ${namespace}`);
    this.#namespaces.push(namespace);
    ip(`-n ${namespace} link set lo up`);
    return namespace;
  }

  #makePublic(): void {
    const namespace = this.#add('public');
    ip(`-n ${namespace} link add bridge type bridge`);
    ip(`-n ${namespace} link set bridge up`);
    ip(`-n ${namespace} addr add ${PUBLIC}/24 dev bridge`);
  }

  #makeSite(site: number, nat: Nat): void {
    const [router, host] = [this.#add(`router${site}`), this.#add(`host${site}`)];
    const [everybody, inside] = [this.#namespace('public'), `192.168.${10 + site}`];
    ip(`link add outside netns ${router} type veth peer name site${site} netns ${everybody}`);
    ip(`-n ${everybody} link set site${site} master bridge up`);
    ip(`-n ${router} addr add 10.99.0.${10 + site}/24 dev outside`);
    ip(`-n ${router} link set outside up`);
    ip(`link add inside netns ${router} type veth peer name eth0 netns ${host}`);
    ip(`-n ${router} addr add ${inside}.1/24 dev inside`);
    ip(`-n ${router} link set inside up`);
    ip(`-n ${host} addr add ${inside}.2/24 dev eth0`);
    ip(`-n ${host} link set eth0 up`);
    ip(`-n ${host} route add default via ${inside}.1`);
    ip(`netns exec ${router} sysctl -qw net.ipv4.ip_forward=1`);
    execFileSync('ip', ['netns', 'exec', router, 'nft', '-f', '-'], { input: rules(nat), stdio: ['pipe', 'pipe', 'pipe'] });
  }

  async #startServers(): Promise<void> {
    const turn = ['-n', '-L', PUBLIC, '-E', PUBLIC, '-r', 'darkswap', '--lt-cred-mech', '--no-tls', '--no-dtls', '--no-cli'];
    const user = ['--user', `${TURN_USER.username}:${TURN_USER.credential}`];
    const files = ['--pidfile', join(this.folder, 'turn.pid'), '--db', join(this.folder, 'turn.db'), '--log-file', 'stdout'];
    const server = this.#start([...this.public, 'turnserver', ...turn, ...user, ...files], 'turn.log');
    await within(Promise.race([this.#listens(STUN_PORT), server.failed()]), STARTING, 'the TURN server does not listen');

    let served = () => {};
    const serving = new Promise<void>((resolve) => (served = resolve));
    const program = join(import.meta.dirname ?? '', '../harness/page_server.mjs');
    const pages = this.#start([...this.public, process.execPath, program, PUBLIC, String(PAGE_PORT)], 'pages.log', () => served());
    await within(Promise.race([serving, pages.failed()]), STARTING, 'the page server does not listen');
  }

  /** Waits until a UDP port of the public address is open. */
  async #listens(port: number): Promise<void> {
    const hex = (number: number, digits: number) => number.toString(16).toUpperCase().padStart(digits, '0');
    // As in /proc/net/udp: the bytes of the address in the host's order, which is little-endian wherever Chromium runs.
    const socket = `${PUBLIC.split('.').reverse().map((byte) => hex(Number(byte), 2)).join('')}:${hex(port, 4)}`;
    while (!(await run('ip', [...this.public.slice(1), 'cat', '/proc/net/udp'])).includes(socket)) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  #start(command: string[], log: string, line?: (text: string) => void): Program {
    const [program = '', ...args] = command;
    const started = Program.start(program, args, { log: join(this.folder, log), ...(line ? { line } : {}) });
    this.#programs.push(started);
    return started;
  }
}

/**
 * Without the `input` chain a router's own kernel would answer an early packet of a punch, and remember it: the later outbound flow
 * would then get another port and the punch would fail. Home routers drop such packets, as this one does.
 */
function rules(nat: Nat): string {
  return `
    table ip nat {
      chain postrouting {
        type nat hook postrouting priority 100
        oifname "outside" masquerade ${nat === 'random' ? 'fully-random' : ''}
      }
    }
    table ip filter {
      chain input {
        type filter hook input priority 0
        ct state established,related accept
        iifname "outside" drop
      }
      chain forward {
        type filter hook forward priority 0
        ct state established,related accept
        iifname "outside" drop
      }
    }`;
}

function ip(line: string): void {
  execFileSync('ip', line.split(' '), { stdio: 'pipe' });
}

function remove(namespace: string): void {
  try {
    execFileSync('ip', ['netns', 'del', namespace], { stdio: 'pipe' });
  } catch {
    // It was not made, or it is gone.
  }
}

function isInstalled(program: string): boolean {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return places.some((place) => existsSync(join(place, program)));
}
