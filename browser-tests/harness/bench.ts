// One test: what it starts, how long it may take, and what is kept when it fails.

import { rmSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { launch } from './browser.ts';
import { DarkSwap, within, type Config } from './darkswap.ts';
import { artifacts } from './folder.ts';
import { ICE_LOG } from './ice_log.ts';
import { servePages, type PageServer } from './server.ts';
import { TestPage } from './test_page.ts';

/** How long what a test started may take to end. */
const CLEANING = 20_000;

/** How long a page may take for what it is asked. */
const PATIENCE = 20_000;

/** How a page is opened. */
export interface PageOptions {
  browser?: Browser;
  url?: string;
  /** A script that runs in the page before its own. */
  before?: string;
  viewport?: { width: number; height: number };
}

interface OpenPage {
  name: string;
  page: Page;
  context: BrowserContext;
  console: string[];
}

/** Everything that a test starts; all of it ends with the test. */
export class Bench {
  readonly #nodes: DarkSwap[] = [];
  readonly #pages: OpenPage[] = [];
  readonly #cleanups: (() => Promise<void> | void)[] = [];
  #browser: Browser | undefined;
  #server: PageServer | undefined;

  constructor(readonly folder: string) {
    // For when a signal ends everything.
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  }

  /** Starts a node. */
  async node(name: string, config: Config, prefix: string[] = []): Promise<DarkSwap> {
    const node = await DarkSwap.start(name, join(this.folder, name), config, prefix).catch(async (error: unknown) => {
      const log = await readFile(join(this.folder, name, 'log'), 'utf8').catch(() => '');
      throw new Error(`${error instanceof Error ? error.message : error}\n${log.slice(-1_500)}`);
    });
    this.#nodes.push(node);
    return node;
  }

  /** Starts a node that relays, with more settings than that. */
  relay(name = 'relay', more: Config = {}, prefix: string[] = []): Promise<DarkSwap> {
    const node = { listen: ['/ip4/127.0.0.1/tcp/0/ws'], reachability: 'public', ...more['node'] };
    return this.node(name, { ...more, node, relay: { server: true, ...more['relay'] } }, prefix);
  }

  /** Opens the page of the tests. */
  async page(name: string, options: PageOptions = {}): Promise<TestPage> {
    const page = await this.open(name, `${options.url ?? (await this.url())}/test/`, options);
    await page.waitForFunction(() => globalThis.darkswap !== undefined);
    return new TestPage(page, name);
  }

  /** Opens any page in a context of its own: its own storage, and its own trace. */
  async open(name: string, url: string, options: PageOptions = {}): Promise<Page> {
    const browser = options.browser ?? (await this.browser());
    const context = await browser.newContext(options.viewport ? { viewport: options.viewport } : {});
    if (options.before !== undefined) await context.addInitScript(options.before);
    await context.addInitScript(ICE_LOG);
    context.setDefaultTimeout(PATIENCE);
    await context.tracing.start({ screenshots: true, snapshots: true });
    const page = await context.newPage();
    const lines: string[] = [];
    const note = (text: string) => lines.push(`${new Date().toISOString()} ${text}`);
    page.on('console', (message) => note(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => note(`uncaught: ${error.stack ?? error.message}`));
    page.on('crash', () => note('the page crashed'));
    this.#pages.push({ name, page, context, console: lines });
    await page.goto(url);
    return page;
  }

  /** The URL of the bundled pages. */
  async url(): Promise<string> {
    this.#server ??= await servePages();
    return this.#server.url;
  }

  async browser(): Promise<Browser> {
    this.#browser ??= await launch();
    return this.#browser;
  }

  /** Has something done at the end of the test, the last first. */
  cleanup(work: () => Promise<void> | void): void {
    this.#cleanups.push(work);
  }

  /** Keeps what helps to understand a failure: trace, screenshot and console of every page, and the log of every node. */
  async keep(to: string): Promise<void> {
    await rm(to, { recursive: true, force: true });
    await mkdir(to, { recursive: true });
    for (const { name, page, context, console } of this.#pages) {
      await writeFile(join(to, `${name}.console.txt`), console.map((line) => `${line}\n`).join(''));
      await page.screenshot({ path: join(to, `${name}.png`), timeout: 3_000 }).catch(() => {});
      await context.tracing.stop({ path: join(to, `${name}.trace.zip`) }).catch(() => {});
    }
    for (const log of (await readdir(this.folder)).filter((file) => file.endsWith('.log'))) {
      await cp(join(this.folder, log), join(to, log)).catch(() => {});
    }
    for (const node of this.#nodes) {
      await cp(node.log, join(to, `${node.name}.log`)).catch(() => {});
      const events = node.events.all().map((event) => `${JSON.stringify(event).slice(0, 2_000)}\n`);
      await writeFile(join(to, `${node.name}.events.jsonl`), events.join(''));
    }
  }

  async end(): Promise<void> {
    const works = [
      ...this.#cleanups.reverse(),
      () => this.#browser?.close(),
      () => this.#server?.close(),
      ...this.#nodes.map((node) => () => node.stop()),
      () => rm(this.folder, { recursive: true, force: true }),
    ];
    for (const work of works) {
      await within(Promise.resolve(work()), CLEANING, 'cleaning up takes too long').catch((error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
      });
    }
  }
}

/**
 * Declares a test: a sentence of behaviour, how many seconds it may take, and what it does. `missing` tells what this computer lacks
 * for it; then it is skipped for that reason, but in continuous integration it fails: there nobody reads what was skipped.
 */
export function behaviour(
  sentence: string,
  seconds: number,
  body: (bench: Bench) => Promise<void>,
  missing?: () => string | undefined,
): void {
  test(sentence, async (context: TestContext) => {
    const lack = missing?.();
    if (lack !== undefined) return leaveOut(context, lack);
    const bench = new Bench(await mkdtemp(join(tmpdir(), 'darkswap-browser-')));
    try {
      await within(body(bench), seconds * 1_000, 'the test takes too long');
    } catch (error) {
      const to = join(artifacts, sentence.replace(/[^\w]+/g, '-').toLowerCase());
      await within(bench.keep(to), CLEANING, 'keeping the artifacts takes too long').catch(() => {});
      context.diagnostic(`kept in ${to}`);
      throw error;
    } finally {
      await bench.end();
    }
  });
}

function leaveOut(context: TestContext, lack: string): void {
  const ci = process.env['CI'];
  if (ci === 'true' || ci === '1') throw new Error(`this test would be skipped: ${lack}`);
  context.skip(lack);
}
