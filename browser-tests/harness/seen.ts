// Things that happened, and waiting for one that did or will.

/** Fields that an event must have. A pattern in a field matches the text of that field. */
export type Pattern = Record<string, string | number | boolean | null | RegExp>;

/** Events kept. Beyond, the oldest are forgotten. */
const KEPT = 10_000;

export class Seen<Event extends object> {
  #events: Event[] = [];
  readonly #watchers = new Set<(event: Event) => void>();

  add(event: Event): void {
    this.#events.push(event);
    if (this.#events.length > KEPT) this.#events = this.#events.slice(-KEPT / 2);
    for (const watcher of [...this.#watchers]) watcher(event);
  }

  all(pattern: Pattern = {}): Event[] {
    return this.#events.filter((event) => matches(event, pattern));
  }

  /** Forgets what happened so far. */
  clear(): void {
    this.#events = [];
  }

  /** The first event, past or future, that matches. */
  wait(pattern: Pattern, time: number, where: string): Promise<Event> {
    const past = this.#events.find((event) => matches(event, pattern));
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      const watcher = (event: Event) => {
        if (!matches(event, pattern)) return;
        end();
        resolve(event);
      };
      const timer = setTimeout(() => {
        end();
        const last = this.#events.slice(-8).map((event) => JSON.stringify(event)?.slice(0, 160));
        reject(new Error(`${where}: no event ${describe(pattern)} within ${time / 1_000} s; the last were:\n  ${last.join('\n  ')}`));
      }, time);
      const end = () => {
        clearTimeout(timer);
        this.#watchers.delete(watcher);
      };
      this.#watchers.add(watcher);
    });
  }
}

function matches(event: object, pattern: Pattern): boolean {
  return Object.entries(pattern).every(([name, expected]) => {
    const found = (event as Record<string, unknown>)[name];
    return expected instanceof RegExp ? expected.test(String(found)) : found === expected;
  });
}

function describe(pattern: Pattern): string {
  return Object.entries(pattern).map(([name, value]) => `${name}=${String(value)}`).join(' ');
}
