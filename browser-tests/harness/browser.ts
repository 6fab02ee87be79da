// Chromium, as the system has it.

import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Starts a headless Chromium. `executable` is another program than the system's, such as one that starts it in a namespace. */
export function launch(executable = chromiumPath(), flags: string[] = []): Promise<Browser> {
  // Signals are the harness's to handle: it ends the browser with everything else.
  const signals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
  return chromium.launch({ executablePath: executable, args: [...FLAGS, ...flags], ...signals });
}

export function chromiumPath(): string {
  const named = process.env['CHROMIUM'];
  const found = named ?? PLACES.find((place) => existsSync(place));
  if (found === undefined) throw new Error('there is no Chromium: run browser-tests/setup.sh, or name one with CHROMIUM');
  return found;
}
