// How long to wait before the next attempt.

/**
 * Exponential back-off with jitter: each delay lies between half and all of `base * 2^attempts`, capped, so that many pages that lost
 * the same node do not return at once. Times are milliseconds.
 */
export class Backoff {
  #attempts = 0;

  constructor(
    private readonly base: number,
    private readonly cap: number,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const full = Math.min(this.base * 2 ** Math.min(this.#attempts, 30), this.cap);
    this.#attempts += 1;
    return full / 2 + (full / 2) * this.random();
  }

  reset(): void {
    this.#attempts = 0;
  }
}
