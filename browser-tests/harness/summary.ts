// The reporter of `npm test`: one line per behaviour, then what failed and where its traces are.

import type { TestEvent } from 'node:test/reporters';
import { binary } from './darkswap.ts';

interface Failure {
  name: string;
  error: string;
  notes: string[];
}

export default async function* summary(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  yield `testing ${binary()}\n`;
  const failures: Failure[] = [];
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of source) {
    // A test's notes come after its failure.
    if (type === 'test:diagnostic' && data.message.startsWith('kept in')) failures.at(-1)?.notes.push(data.message);
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message;
    if ((type !== 'test:pass' && type !== 'test:fail') || data.name.endsWith('.mjs')) continue;
    const time = `${(data.details.duration_ms / 1_000).toFixed(1)} s`.padStart(8);
    if (data.skip !== undefined && data.skip !== false) {
      counts.skipped += 1;
      yield `  skipped  ${data.name}\n           because ${data.skip}\n`;
    } else if (type === 'test:pass') {
      counts.passed += 1;
      yield `  passed ${time}  ${data.name}\n`;
    } else {
      counts.failed += 1;
      yield `  FAILED ${time}  ${data.name}\n`;
      const cause = data.details.error.cause;
      failures.push({ name: data.name, error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause), notes: [] });
    }
  }
  for (const { name, error, notes } of failures) yield `\n== ${name}\n${error}\n${notes.map((note) => `${note}\n`).join('')}`;
  yield `\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`;
}
