// Child processes that end with this one, whatever ends it.

import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** How long a process that was asked to end may take before it is killed. */
const ENDING = 5_000;

const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(1));
}

/** A running program. */
export class Program {
  private constructor(
    readonly child: ChildProcess,
    private readonly name: string,
  ) {}

  /** Starts a program. Its standard error goes to the file `log`; each line of its standard output to `line`. */
  static start(command: string, args: string[], options: { log: string; env?: NodeJS.ProcessEnv; line?: (line: string) => void }): Program {
    const settings: SpawnOptions = { stdio: ['ignore', 'pipe', 'pipe'], ...(options.env ? { env: options.env } : {}) };
    const child = spawn(command, args, settings);
    running.add(child);
    const log = createWriteStream(options.log, { flags: 'a' });
    child.on('error', (error) => {
      running.delete(child);
      log.end(`cannot start ${command}: ${error.message}\n`);
    });
    child.on('exit', (code, signal) => {
      running.delete(child);
      log.end(`\n${command} ended: ${signal ?? `exit code ${code}`}\n`);
    });
    child.stderr?.pipe(log, { end: false });
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => options.line?.(line));
    return new Program(child, [command, ...args].join(' '));
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null && this.child.pid !== undefined;
  }

  /** Rejects when the program ends, for a race with what is expected of it. */
  async failed(): Promise<never> {
    if (this.isRunning) await once(this.child, 'exit');
    throw new Error(`${this.name} ended with ${this.child.signalCode ?? `exit code ${this.child.exitCode}`}`);
  }

  /** Asks the program to end, and kills it when it does not. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** Ends the program as a crash would. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.isRunning) return;
    const ended = once(this.child, 'exit');
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), ENDING);
    await ended;
    clearTimeout(timer);
  }
}

/** Runs a program to its end: its standard output. Rejects with its standard error when it fails. */
export async function run(command: string, args: string[], options: { env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(options.env ? { env: options.env } : {}) });
  running.add(child);
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (code === 0) return output;
    throw new Error(`${command} ${args.join(' ')}: ${signal ?? `exit code ${code}`}\n${errors.trim()}`);
  } finally {
    running.delete(child);
  }
}
